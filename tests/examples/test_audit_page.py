"""The audit trail on the page on operations, beyond its blocks."""

from __future__ import annotations

import logging
import re
import runpy
import shlex
import subprocess
from configparser import RawConfigParser
from logging.config import fileConfig

import pytest

from helpers.pages import ROOT, fence, read
from oauth_mw.audit import CHANGE_EVENTS, REQUEST_EVENTS, AuditEvent, log

PAGE = "examples/operations/README.md"


def test_the_page_names_all_events_and_members():
    page = read(PAGE)
    events, members = page.partition("| event | when |")[2].partition("Each has `time`")[::2]

    rows = [line.split("|")[1] for line in events.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == {*REQUEST_EVENTS, *CHANGE_EVENTS}
    assert set(re.findall(r"`(\w+)`", members.partition("These names")[0])) == {*AuditEvent._fields} - {"time", "event"}


@pytest.mark.servers
def test_jq_finds_who_called(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples/operations/audit_trail.py"), run_name="__main__")
    command, shown = fence(PAGE, "console", "$ jq").removeprefix("$ ").split("\n", 1)

    assert subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout == shown


def test_the_sections_of_the_ini_send_the_trail_to_a_file_and_to_syslog(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = RawConfigParser()
    text.read_string(fence(PAGE, "ini", "[loggers]").replace("/dev/log", str(tmp_path / "log")))
    for logger in (log, logging.getLogger()):
        monkeypatch.setattr(logger, "handlers", [*logger.handlers])
    fileConfig(text, disable_existing_loggers=False)
    added = [*log.handlers]
    for handler in added:
        handler.close()

    assert [type(each).__name__ for each in added] == ["WatchedFileHandler", "SysLogHandler"]


def test_who_called_passes_over_a_line_that_a_full_disk_has_torn():
    who = runpy.run_path(str(ROOT / "examples/operations/who.py"))
    lines = ['{"time": "2026-11-30T14:03:00.000Z", "path": "/reports"}', '{"time": "2026-11-30T14:0']

    assert [each["path"] for each in who["calls"](lines, "/reports", "14:03")] == ["/reports"]
