"""Which files other users of the machine can open. On Windows, without such permissions, none count as open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence


def open_to_others(path: str, companions: Sequence[str] = (), *, secret: bool = True) -> list[str]:
    """List the ways in which every user of the machine can read, write or replace a file, a sentence each.

    :param companions: suffixes of the files beside a database that belong to it. Other users must not be able to create
        them.
    :param secret: other users must not read the file either.
    """
    found = []
    files = [path, *(path + suffix for suffix in companions)]
    for right, bit in ("read", stat.S_IROTH), ("write", stat.S_IWOTH):
        names = [file for file in files if mode_of(file) & bit and (secret or right == "write")]
        if names:
            lock = ", and stop all writers by a lock" if companions and right == "read" else ""
            found.append(f"every user of this machine can {right} {', '.join(names)}{lock}: chmod o-{right[0]}")
    own = {os.path.dirname(each) for each in _names(path)} if companions else set()
    for folder in dict.fromkeys(folder for name in _names(path) for folder in _above(name)):
        mode = mode_of(folder)
        # With the sticky bit only the owner of a file can replace it, but every user can create new files.
        if mode & stat.S_IWOTH and (folder in own or not mode & stat.S_ISVTX):
            found.append(f"every user of this machine can write the folder {folder}, and so replace {path}: chmod o-w")
    return found


def mode_of(path: str) -> int:
    """Return the mode of a file; 0 if it is missing, or the system has no POSIX permissions."""
    try:
        return os.stat(path).st_mode if os.name == "posix" else 0
    except OSError:
        return 0


def belongs_to_root(path: str) -> bool:
    """True if the file is owned by root. Without such a file, an ``OSError``."""
    return os.name == "posix" and os.stat(path).st_uid == 0


def _names(path: str) -> tuple[str, str]:
    """The path as given, and with symbolic links resolved."""
    return os.path.abspath(path), os.path.realpath(path)


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the nearest one first."""
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder
