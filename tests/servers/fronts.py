"""nginx and Apache of Debian's packages, uWSGI and gunicorn, with configurations of a test's own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hosting import HERE, START_SECONDS, STOP_SECONDS, prepare_store

from helpers.engines_base import free_port, wait_until
from helpers.engines_postgres import nobody

NGINX = """
daemon off;
{user}
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {around}
    server {{
        listen 127.0.0.1:{port};
        {site}
    }}
}}
"""

MODULES = (
    *("mpm_event", "authz_core", "alias", "headers", "rewrite"),
    *("proxy", "proxy_http", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "wsgi"),
    *("proxy_uwsgi", "proxy_fcgi", "env", "setenvif", "ssl", "cache", "cache_disk", "authn_core", "authn_file"),
    *("authz_user", "auth_basic", "auth_form", "session", "session_cookie", "request"),
)
APACHE = """
Define folder {folder}
ServerName api.example.com
ServerRoot {folder}
PidFile apache.pid
ErrorLog {folder}/output
Listen 127.0.0.1:{port}
{user}
{site}
"""

SCRIPT = """
import os
import sys

os.environ["GUARDED_APP_OPTIONS"] = {options!r}
sys.path.insert(0, {here!r})
from guarded_app import application
"""


@contextmanager
def nginx(site: str, around: str = "", port: int = 0, clock: Sequence[str] = ()) -> Iterator[str]:
    """The URL of an nginx whose server has this configuration; ``around`` stands outside of it; port 0 is any.

    :param clock: what :func:`off_by` returns.
    """
    with _folder() as folder:
        port = port or free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX.format(user=user, around=around, port=port, site=site))
        with process_at(
            [*clock, _binary("nginx"), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"], folder, port
        ) as url:
            yield url


@contextmanager
def apache(site: str, folder: Path | None = None) -> Iterator[str]:
    """The URL of an Apache with this configuration, in which ``${folder}`` is its own, and with the modules above."""
    with _folder() as own:
        folder, port = folder or own, free_port()
        user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
        loads = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES]
        conf = "".join(loads) + APACHE.format(folder=folder, port=port, user=user, site=site)
        (folder / "apache.conf").write_text(conf)
        command = [_binary("apache2"), "-f", str(folder / "apache.conf"), "-DFOREGROUND"]
        with process_at(command, folder, port) as url:
            yield url


@contextmanager
def mod_wsgi(*lines: str, processes: int = 1, alias: str = "/", **options: Any) -> Iterator[str]:
    """The URL of an Apache that serves the app of these tests by mod_wsgi, in this virtual environment."""
    with _folder() as folder:
        store = str(options.setdefault("store", f"sqlite:///{folder}/oauth.db"))
        if store.startswith("sqlite"):
            prepare_store(store)
        (folder / "app.wsgi").write_text(SCRIPT.format(options=json.dumps(options), here=str(HERE)))
        _give(folder)
        site = [
            f"WSGISocketPrefix {folder}/wsgi",
            f"WSGIDaemonProcess app python-home={sys.prefix} processes={processes} threads=2",
            f"WSGIScriptAlias {alias} {folder}/app.wsgi process-group=app application-group=%{{GLOBAL}}",
            f"<Directory {folder}>\nRequire all granted\n</Directory>",
            *lines,
        ]
        with apache("\n".join(site), folder) as url:
            yield url


@contextmanager
def uwsgi(*words: str, mount: str = "", **options: Any) -> Iterator[str]:
    """The URL of a uWSGI with two processes. One that keeps connections open takes chunks for another request."""
    if importlib.util.find_spec("pyuwsgi") is None:
        pytest.skip("pyuwsgi is not installed: it has no wheel for this Python or platform")
    app = f"--mount={mount}=guarded_app:app" if mount else "--module=guarded_app:app"
    command = [os.path.join(sysconfig.get_path("scripts"), "pyuwsgi"), "--master", "--die-on-term", "--need-app", app]
    port = free_port()
    with _guarded([*command, f"--http-socket=127.0.0.1:{port}", "--processes=2", *words], port, options) as url:
        yield url


@contextmanager
def gunicorn(*words: str, clock: Sequence[str] = (), script_name: str = "", **options: Any) -> Iterator[str]:
    """The URL of a gunicorn with two workers.

    :param clock: what :func:`off_by` returns.
    """
    port = free_port()
    command = [*clock, sys.executable, "-m", "gunicorn", "--no-control-socket", "--preload", "--workers=2"]
    where = [f"--bind=127.0.0.1:{port}", *words, "guarded_app:app"]
    with _guarded([*command, *where], port, options, SCRIPT_NAME=script_name) as url:
        yield url


@contextmanager
def _guarded(command: list[str], port: int, options: dict[str, Any], **variables: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        store = str(options.setdefault("store", f"sqlite:///{name}/oauth.db"))
        if store.startswith("sqlite"):
            prepare_store(store)
        variables |= {"GUARDED_APP_OPTIONS": json.dumps(options), "PYTHONPATH": str(HERE)}
        with process_at(command, Path(name), port, variables) as url:
            yield url


def off_by(seconds: int) -> list[str]:
    """The words before a command that is to have another clock."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    # nginx removes the variables of its workers: what was read of them must be kept.
    return ["env", f"LD_PRELOAD={library}", f"FAKETIME={seconds:+d}s", "FAKETIME_CACHE_DURATION=100000"]


@contextmanager
def _folder() -> Iterator[Path]:
    """One that the workers of a server of root may read and write, too; those of pytest are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _give(folder)
        yield folder


def _give(folder: Path) -> None:
    if os.geteuid() == 0:
        user = nobody()
        for each in (folder, *folder.iterdir()):
            os.chown(each, user["user"], user["group"])


def _binary(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f".ci/packages.txt names the package of {name}"
    return found


@contextmanager
def process_at(command: list[str], folder: Path, port: int, variables: Mapping[str, str] = {}) -> Iterator[str]:
    """The URL of a server that this command starts in the folder, with these variables of the environment, too."""
    environ = {**os.environ, **variables}
    with open(folder / "output", "ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), command[0], START_SECONDS)
        assert process.poll() is None, (folder / "output").read_text(errors="replace")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
