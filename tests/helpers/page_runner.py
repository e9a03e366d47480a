"""Run the blocks of a page in their order, in one folder and as one program."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helpers.page_syntax import nginx, sections
from helpers.pages import ROOT, Fence
from helpers.serving import serving
from helpers.support import SECRET
from oauth_mw.cli import main
from oauth_mw.cli.ini import read_section
from oauth_mw.config import read_options
from oauth_mw.errors import Faults

_FILE = re.compile(r"[#;] ([\w/.-]+\.(?:py|ini|toml))\n")
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_SERVED = re.compile(r"http://127\.0\.0\.1:80\d\d")
# What a command prints that a later command has in place of these words.
_PRINTED = {
    "ID": r'client_id"?:?\s+"?([\w-]+)',
    "SECRET": r'client_secret"?:?\s+"?(\w+)',
    "SECRET_ID": r"(?m)^([0-9a-f]{12}) ",  # the oldest in a list
    "TOKEN": r'access_token"?:?\s+"?([\w.-]+)',
    "KEY": r'kid"?:?\s+"?([\w-]+)',
}
_PLACEHOLDER = re.compile(rf"\b({'|'.join(_PRINTED)})\b")
try:
    _CLI = CliRunner(mix_stderr=False)  # click 8.1
except TypeError:
    _CLI = CliRunner()
_OURS = "[filter:oauth]\nuse = egg:oauth_mw\n"


class PageRunner:
    """What the blocks of one page have in common: a folder, the names of their Python, and a server.

    :param folder: is empty, and the current one.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, stack: contextlib.ExitStack) -> None:
        self.folder, self.patch, self.stack = folder, patch, stack
        self.names: dict[str, Any] = {"__name__": "page"}
        self.known: dict[str, str] = {}
        self.url = ""
        stack.callback(self._forget_modules, set(sys.modules))
        self._restore_logging_afterwards()
        patch.syspath_prepend(str(folder))

    def _restore_logging_afterwards(self) -> None:
        self.patch.setattr(logging.root.manager, "disable", logging.root.manager.disable)
        loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
        for logger in loggers:
            for name in ("level", "disabled", "propagate"):
                self.patch.setattr(logger, name, getattr(logger, name))
            self.patch.setattr(logger, "handlers", list(logger.handlers))

    def run(self, fence: Fence) -> None:
        languages: dict[str, Callable[[str], Any]] = {
            "python": self._python,
            "console": self._console,
            "ini": self._ini,
            "nginx": nginx,
            "toml": self._toml,
        }
        try:
            languages[fence.language](fence.text)
        except BaseException as error:
            error.add_note(f"in the block at {fence.place}")
            raise

    def _forget_modules(self, before: set[str]) -> None:
        for name in sys.modules.keys() - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith((str(self.folder), str(ROOT / "examples"))):
                del sys.modules[name]

    def _python(self, text: str) -> None:
        """Run it, or write it to the file that its first line names. Only a file that is no test is imported."""
        if not (named := _FILE.match(text)):
            exec(compile(text, "page", "exec", dont_inherit=True), self.names)
        elif not self._written(named[1], text).name.startswith(("test_", "conftest")):
            module = importlib.import_module(named[1].removesuffix(".py").replace("/", "."))
            self.names.update(vars(module), __name__="page")

    def _written(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return file

    def _ini(self, text: str) -> None:
        """Check the options of a filter; without any section, it is a part of that of the filter."""
        named = _FILE.match(text)
        if not re.search(r"^\[", text, re.MULTILINE):
            store = "" if re.search(r"^store\b", text, re.MULTILINE) else "store = memory://\n"
            text = _OURS + store + text
        elif not re.search(r"egg:oauth_mw|oauth_mw\.paste", text):
            sections(text)
            return
        for variable in re.findall(r"(?<!\$)\$\{(\w+)\}", text):
            if variable not in os.environ:
                self.patch.setenv(variable, SECRET)
        file = self._written(named[1] if named else "page.ini", text)
        faults = Faults()
        read_options(read_section(str(file), {}, faults).options, faults)
        faults.raise_all()

    def _toml(self, text: str) -> None:
        """Write it to the file that its first line names."""
        tomllib.loads(text)
        if named := _FILE.match(text):
            self._written(named[1], text)

    def _console(self, text: str) -> None:
        """Run each line that begins with ``$``; what is shown below it is what it prints, with any text for ``…``."""
        for line, shown in _COMMAND.findall(text):
            words = [_PLACEHOLDER.sub(self._value, word) for word in shlex.split(line, comments=True)]
            words = [str(ROOT / word) if word.startswith("examples/") else word for word in words]
            while "=" in words[0] and words[0].partition("=")[0].isidentifier():
                self.patch.setenv(*words.pop(0).split("=", 1))
            printed = getattr(self, f"_run_{words[0].replace('-', '_')}")(words[1:])
            for name, pattern in _PRINTED.items():
                if found := re.search(pattern, printed):
                    self.known[name] = found[1]
            if shown.strip():
                pattern = re.escape(shown.strip()).replace("…", ".*")
                assert re.fullmatch(pattern, printed.strip(), re.DOTALL), printed

    def _value(self, match: re.Match[str]) -> str:
        return self.known.get(match[0], match[0])

    def _run_export(self, words: list[str]) -> str:
        for word in words:
            self.patch.setenv(*word.split("=", 1))
        return ""

    def _run_oauth_mw(self, words: list[str]) -> str:
        doctor = words[0] == "doctor"  # of what the page serves, with a certain fault
        words = [_SERVED.sub(self.url, word) for word in words] if doctor else words
        answer = _CLI.invoke(main, words, catch_exceptions=False)
        assert answer.exit_code == (2 if doctor else 0), answer.output
        return answer.stdout

    def _run_pip(self, words: list[str]) -> str:
        """Do not install, but know the extras that are named."""
        known = distribution("oauth_mw").metadata.get_all("Provides-Extra") or []
        for extras in re.findall(r"(?:oauth_mw|\.)\[([\w,]+)\]", " ".join(words)):
            assert set(extras.split(",")) <= {*known}, extras
        return ""

    def _run_flask(self, words: list[str]) -> str:
        """Serve what ``flask --app MODULE run`` serves."""
        self.serve(importlib.import_module(words[words.index("--app") + 1]).app)
        return ""

    def serve(self, app: Callable[..., Any]) -> None:
        self.url, set_app = self.stack.enter_context(serving())
        set_app(app)

    def _run_grep(self, words: list[str]) -> str:
        return self._subprocess(["grep", *words])

    def _run_curl(self, words: list[str]) -> str:
        return self._subprocess(["curl", "-sS", *(_SERVED.sub(self.url, word) for word in words)])

    def _run_python(self, words: list[str]) -> str:
        """Run a program of the repository to its end."""
        printed = io.StringIO()
        self.patch.setattr(sys, "argv", [_SERVED.sub(self.url, word) for word in words])
        self.patch.syspath_prepend(str((ROOT / words[0]).parent))
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
        return printed.getvalue()

    def _run_pytest(self, words: list[str]) -> str:
        """Run the tests of the page's folder, or of a folder of the repository, in a session of their own."""
        folder = str(ROOT / words[0]) if words else str(self.folder)
        self.patch.syspath_prepend(folder)
        self.patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        self.patch.setenv("PYTEST_ADDOPTS", "")
        printed = io.StringIO()
        own = [f"--rootdir={folder}", "-c", os.devnull, "--import-mode=importlib", "--capture=no"]
        with contextlib.redirect_stdout(printed):
            status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", *own, folder])
        assert status == 0, printed.getvalue()
        return printed.getvalue()

    def _subprocess(self, command: list[str]) -> str:
        ended = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
