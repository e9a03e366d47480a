from __future__ import annotations

import json
import os
import pty
import signal
import sys
import termios
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from webtest import TestApp

from helpers.counting import Deployment, deployed
from helpers.engines_base import wait_until
from helpers.processes import exit_code_of
from helpers.sickness import House, served
from helpers.support import SECRET, echo, issue
from oauth_mw import OAuthMiddleware, open_store
from oauth_mw.cli import main
from oauth_mw.environment import DOCTOR_CLIENT, DOCTOR_SECRET, METRICS_CLIENT, METRICS_SECRET, METRICS_TOKEN
from oauth_mw.protocols import Store

Run = Callable[..., Result]

try:
    runner = CliRunner(mix_stderr=False)  # click 8.1
except TypeError:
    runner = CliRunner()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/oauth.db"


@pytest.fixture
def cli(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, on the store at ``url`` unless another one is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OAUTH_MW_STORE", raising=False)

    def run(*words: str, store: str | None = url, input: str | bytes | None = None) -> Result:
        before = ["--store", store] if store else []
        return runner.invoke(main, [*before, *words], input=input, catch_exceptions=False)

    return run


@pytest.fixture
def printed(cli: Run) -> Callable[..., Any]:
    """Run a command that succeeds, and return what it prints for scripts."""

    def printed(*words: str, **options: Any) -> Any:
        answer = cli(*words, "--json", **options)
        assert answer.exit_code == 0, answer.stderr
        return json.loads(answer.stdout)

    return printed


@pytest.fixture
def on_terminal(cli: Run, url: str, tmp_path: Path) -> Callable[..., tuple[int, bytes, str]]:
    """Run a command in a child that has a terminal. Each answer is typed once its question is shown.

    Returns its exit code, what the terminal showed, and its standard output, which is a file, or with ``screen`` the
    terminal itself.
    """

    def run(*words: str, answers: Iterable[tuple[bytes, str]] = (), screen: bool = False) -> tuple[int, bytes, str]:
        output = tmp_path / "standard-output"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later warn of a fork beside threads
            child, terminal = pty.fork()
        if child == 0:
            _run_and_exit(["--store", url, *words], "/dev/tty" if screen else output)
        shown = b""
        for question, answer in answers:
            while question not in shown:  # older versions of click prompt before they hide: what is typed then is lost
                shown += os.read(terminal, 4096)
            if question != b"[y/N]" and not screen:
                wait_until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, "a hidden answer")
            os.write(terminal, f"{answer}\n".encode())
        while part := _read(terminal):
            shown += part
        os.close(terminal)
        return exit_code_of(child), shown, "" if screen else output.read_text()

    return run


def _run_and_exit(words: list[str], output: Path | str) -> None:
    exit_code: Any = 99
    try:
        signal.alarm(60)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(output, "w"), open(2, "w")
        main(words)
    except SystemExit as error:
        exit_code = error.code
    finally:
        os._exit(exit_code)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: no process has the other end open
        return b""


@pytest.fixture
def registered(cli: Run) -> Any:
    """What `client add` answered for a client that may read and write."""
    return json.loads(cli("client", "add", "tester", "--id", "tester", "--scope", "read write", "--json").stdout)


@pytest.fixture
def opened(registered: Any, url: str) -> Iterator[Store]:
    """The store in which the client lies."""
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def app(registered: Any, url: str) -> TestApp:
    """A protected app on the same store."""
    return TestApp(OAuthMiddleware(echo, store=url))


@pytest.fixture
def token(app: TestApp, registered: Any) -> str:
    """A live token of the client."""
    return issue(app, "tester", registered["client_secret"])


@pytest.fixture(autouse=True)
def no_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OAUTH_MW_KEY_ENCRYPTION_SECRET", raising=False)


@pytest.fixture
def ini(tmp_path: Path) -> Callable[..., str]:
    """Write an ini with these lines; its store is ``oauth.db`` beside it unless another one is given."""

    def ini(*lines: str, store: str = "sqlite:///%(here)s/oauth.db") -> str:
        text = ["[filter:oauth]", "use = egg:oauth_mw", f"store = {store}", *lines, ""]
        (tmp_path / "app.ini").write_text("\n".join(text))
        (tmp_path / "app.ini").chmod(0o600)
        return "app.ini"

    return ini


@pytest.fixture
def check(cli: Run, ini: Callable[..., str]) -> Run:
    """Check an ini with these lines."""
    return lambda *lines, **store: cli("check", ini(*lines, **store), store=None)


@pytest.fixture
def found(printed: Callable[..., Any], ini: Callable[..., str]) -> Callable[..., Any]:
    """What a check with these lines answers a script."""
    return lambda *lines, **store: printed("check", ini(*lines, **store), store=None)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write ``app.ini`` and other files into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, others: dict[str, str] | None = None) -> None:
        for name, content in {"app.ini": text, **(others or {})}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))

    return write


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A running deployment with metrics, and no credential for it in the environment."""
    for name in (METRICS_TOKEN, METRICS_CLIENT, METRICS_SECRET):
        monkeypatch.delenv(name, raising=False)
    with deployed() as deployment:
        yield deployment


@pytest.fixture
def monitored(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The same, and the client that may read its metrics is in the environment."""
    monkeypatch.setenv(METRICS_CLIENT, "monitor")
    monkeypatch.setenv(METRICS_SECRET, SECRET)
    return deployment


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A deployment that tests put faults into."""
    with served() as house:
        yield house


@pytest.fixture
def ill(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A healthy deployment, and no credential in the environment."""
    for name in (DOCTOR_CLIENT, DOCTOR_SECRET):
        monkeypatch.delenv(name, raising=False)
    house.heal()
    return house


@pytest.fixture
def diagnosed(ill: House, cli: Run) -> Callable[..., tuple[dict[str, Any], int]]:
    """What is found, by the checks, and the exit code."""

    def diagnosed(*words: str, url: str = ill.url, path: str = "/reports") -> tuple[dict[str, Any], int]:
        answer = cli("doctor", url, *(["--path", path] if path else []), *words, "--json", store=None)
        findings = json.loads(answer.stdout)["findings"]
        return {each["check"]: each for each in findings}, answer.exit_code

    return diagnosed
