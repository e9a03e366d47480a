"""``--audit-log``: each change is a line of a file, with who made it."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import subprocess
import sys

import pytest

from oauth_mw.cli import audit_log

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def events(tmp_path):
    """What the file has."""
    return lambda: [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def called_by_no_one_else(monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)


def test_a_change_by_a_command_is_a_line_with_who_made_it(tmp_path, events):
    environ = {**os.environ, "OAUTH_MW_STORE": "sqlite:///oauth.db", "OAUTH_MW_AUDIT_LOG": "audit.jsonl"}
    run = [sys.executable, "-m", "oauth_mw"]
    options = {"cwd": tmp_path, "env": environ, "check": True, "capture_output": True}
    subprocess.run([*run, "client", "add", "Nightly", "--id", "job", "--scope", "read"], **options)
    subprocess.run([*run, "client", "disable", "job"], **options)

    found = events()
    assert [each["event"] for each in found] == ["client_added", "secret_added", "client_disabled", "tokens_revoked"]
    assert {each["by"] for each in found} == {ME}
    assert {each["store"] for each in found} == {f"sqlite:///{tmp_path}/oauth.db"}
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o600


def test_commands_append_to_the_file_and_keep_its_mode(cli, registered, events, tmp_path):
    (tmp_path / "audit.jsonl").write_text('{"event": "before"}\n')
    (tmp_path / "audit.jsonl").chmod(0o640)
    cli("client", "update", "tester", "--scope", "read", "--audit-log", "audit.jsonl")
    cli("--audit-log", "audit.jsonl", "secret", "add", "tester")

    assert [each["event"] for each in events()] == ["before", "client_changed", "secret_added"]
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o640


def test_no_line_has_a_secret(cli, printed, events, tmp_path):
    made = printed("client", "add", "tester", "--audit-log", "audit.jsonl")

    assert made["client_secret"] not in (tmp_path / "audit.jsonl").read_text()
    assert [each["event"] for each in events()] == ["client_added", "secret_added"]


@pytest.mark.parametrize("place", ["nowhere/audit.jsonl", "."])
def test_a_file_that_cannot_be_written_refuses_before_the_change(cli, registered, printed, place):
    answer = cli("client", "disable", "tester", "--audit-log", place)

    assert (answer.exit_code, "nothing was changed" in answer.stderr) == (1, True)
    assert printed("client", "show", "tester")["enabled"]


def test_a_command_that_changes_nothing_needs_no_file(cli, registered, tmp_path):
    assert cli("client", "list", "--audit-log", "nowhere/audit.jsonl").exit_code == 0
    assert cli("client", "show", "tester", "--audit-log", "audit.jsonl").exit_code == 0
    assert not (tmp_path / "audit.jsonl").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux alone has a device that is full")
def test_a_change_that_could_not_be_recorded_is_shown_and_reported(cli):
    answer = cli("client", "add", "tester", "--id", "tester", "--audit-log", "/dev/full")

    assert answer.exit_code == 1
    assert "shown once" in answer.stdout
    assert "client_added was done, but is missing in /dev/full: No space left on device" in answer.stderr


@pytest.mark.parametrize("store_kind", ["redis"])
def test_a_change_that_the_store_did_not_confirm_is_recorded_and_said(cli, store_url, tmp_path, events):
    assert cli("client", "add", "tester", "--id", "tester", store=store_url).exit_code == 0
    (tmp_path / "app.ini").write_text(
        f"[filter:main]\nuse = egg:oauth_mw\nstore = {store_url}&replicas=1\nstore_timeout_seconds = 0.2\n"
    )
    answer = cli("client", "disable", "tester", "--audit-log", "audit.jsonl", "--config", "app.ini", store=None)

    assert answer.exit_code == 4
    assert "it may be done or not (client_disabled, tokens_revoked): look, and repeat it if it is not" in answer.stderr
    assert [each["attempted"] for each in events()] == ["client_disabled", "tokens_revoked"]


def test_a_line_that_a_full_disk_has_torn_spoils_no_other(cli, registered, tmp_path):
    (tmp_path / "audit.jsonl").write_text('{"time": "2026-11-30T14:03:00.000Z", "ev')
    cli("client", "disable", "tester", "--audit-log", "audit.jsonl")

    torn, *others = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in others] == ["client_disabled", "tokens_revoked"]


def test_the_systems_log_takes_changes(cli, registered, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_log, "SYSLOG_SOCKET", str(tmp_path / "log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as system:
        system.settimeout(10)
        system.bind(str(tmp_path / "log"))
        assert cli("client", "disable", "tester", "--audit-log", "syslog").exit_code == 0
        line = system.recv(4096).decode()

    assert line.startswith('<38>oauth-mw: {"time": ')  # facility auth, severity informational
    assert '"event": "client_disabled"' in line and f'"by": "{ME}"' in line


def test_a_system_without_a_log_refuses_before_the_change(cli, registered, printed, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_log, "SYSLOG_SOCKET", str(tmp_path / "nowhere"))
    answer = cli("client", "disable", "tester", "--audit-log", "syslog")

    assert (answer.exit_code, "nothing was changed" in answer.stderr) == (1, True)
    assert printed("client", "show", "tester")["enabled"]
