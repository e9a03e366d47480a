"""Whether a process takes the place of another one, so that what it is configured with has worked before."""

from __future__ import annotations

import os

START_SECONDS = 10  # a server that has run for longer has started its first workers


def is_replacement() -> bool:
    """Whether a server that forks its workers has forked this one later than its first ones.

    Its parent then runs the same program, and has seen a child end or has run for long. Only Linux shows that; False
    elsewhere.
    """
    parent, own = os.getppid(), os.getpid()
    try:
        if _program(parent) != _program(own):
            return False
        theirs, mine = _state(parent), _state(own)
        # The page faults of those children that the parent has waited for; then when each started, in ticks.
        return int(theirs[8]) > 0 or int(mine[19]) - int(theirs[19]) > START_SECONDS * os.sysconf("SC_CLK_TCK")
    except (AttributeError, IndexError, OSError, ValueError):
        return False


def _program(process: int) -> bytes:
    """The command line; of one that a server has written over, what its processes have in common."""
    with open(f"/proc/{process}/cmdline", "rb") as file:
        line = file.read()
    title, colon, _ = line.partition(b": ")
    return title if colon else line


def _state(process: int) -> list[bytes]:
    """What follows the name in the kernel's line about a process; the name may hold anything."""
    with open(f"/proc/{process}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()
