"""Who called a path at a time (UTC), and what came of it, from an audit trail.

python examples/operations/who.py audit.jsonl /reports 14:03
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress


def events(lines):
    """The events, without lines of which a full disk took only a part."""
    for line in lines:
        with suppress(ValueError):
            yield json.loads(line)


def calls(lines, path, at):
    """The events of requests to the path and below it, at a time of day such as 14:03."""
    for event in events(lines):
        called = event.get("path", "")
        if event["time"][11:].startswith(at) and (called == path or called.startswith(f"{path}/")):
            yield event


if __name__ == "__main__":
    _, file, path, at = sys.argv
    with open(file) as lines:
        for event in calls(lines, path, at):
            who = f"{event.get('client_id', 'no client')} ({event.get('client_name', '-')}) from {event.get('address')}"
            what = f"{event['event']} {event['method']} {event['path']} {event.get('status', '')}"
            print(f"{event['time']} {who}: {what}: {event.get('reason', '')}; rule: {event.get('rule', '-')}")
