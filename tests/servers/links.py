"""Which process holds which connection or file, as the kernel sees it."""

from __future__ import annotations

import os
from contextlib import suppress

ESTABLISHED = "01"


def holders(port: int, processes: set[int]) -> dict[str, set[int]]:
    """By connection to this ``port``: those of ``processes`` that have it open."""
    rows = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            rows += [line.split() for line in table][1:]
    remote = f":{port:04X}"
    found: dict[str, set[int]] = {row[9]: set() for row in rows if row[2].endswith(remote) and row[3] == ESTABLISHED}
    for process in processes:
        for name in open_files(process):
            if name.startswith("socket:[") and name[8:-1] in found:
                found[name[8:-1]].add(process)
    return {inode: held_by for inode, held_by in found.items() if held_by}


def open_files(process: int) -> list[str]:
    folder, names = f"/proc/{process}/fd", []
    for each in os.listdir(folder):
        with suppress(OSError):
            names.append(os.readlink(f"{folder}/{each}"))
    return names


def family(process: int) -> set[int]:
    """A process and all that it started."""
    with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
        return {process}.union(*(family(int(child)) for child in file.read().split()))
