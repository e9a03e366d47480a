"""Whether a process replaces another one, so that its configuration has worked before."""

from __future__ import annotations

import os
from pathlib import Path


def is_replacement(start_seconds: float = 10) -> bool:
    """Whether a server has forked this worker later than its first ones.

    The parent then runs the same program, and has seen a child end or has run for long. Only Linux shows that; False
    elsewhere.

    :param start_seconds: a server that has run for longer has started its first workers.
    """
    parent, own = os.getppid(), os.getpid()
    try:
        if _program(parent) != _program(own):
            return False
        theirs, mine = _state(parent), _state(own)
        # Page faults of the children that the parent has waited for; start times in ticks.
        return int(theirs[8]) > 0 or int(mine[19]) - int(theirs[19]) > start_seconds * os.sysconf("SC_CLK_TCK")
    except (AttributeError, IndexError, OSError, ValueError):
        return False


def _program(process: int) -> bytes:
    """The command line, or of a title that a server has set instead, the part that its processes share."""
    return Path(f"/proc/{process}/cmdline").read_bytes().partition(b": ")[0]


def _state(process: int) -> list[bytes]:
    """The kernel's fields about a process after its name, which may hold anything."""
    return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
