"""File permissions of other users. Where the system has none (Windows), no file counts as open to them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence


def open_to_others(path: str, companions: Sequence[str] = (), *, secret: bool = True) -> list[str]:
    """How every user of the machine can read, write or replace a file: a sentence each.

    :param companions: suffixes of the files beside it that belong to it. No other user may create these either.
    :param secret: the file holds something that other users must not read.
    """
    found = []
    files = [path, *(path + suffix for suffix in companions)]
    for right, bit in ("read", stat.S_IROTH), ("write", stat.S_IWOTH):
        names = [file for file in files if mode_of(file) & bit and (secret or right == "write")]
        if names:
            found.append(f"every user of this machine can {right} {', '.join(names)}: chmod o-{right[0]}")
    own = {os.path.dirname(each) for each in _names(path)} if companions else set()
    for folder in dict.fromkeys(folder for name in _names(path) for folder in _above(name)):
        mode = mode_of(folder)
        # With the sticky bit only the owner of a file can replace it, but every user can create new files.
        if mode & stat.S_IWOTH and (folder in own or not mode & stat.S_ISVTX):
            found.append(f"every user of this machine can write the folder {folder}, and so replace {path}: chmod o-w")
    return found


def mode_of(path: str) -> int:
    """The permissions of a file; none where it is missing, or the system has none."""
    try:
        return os.stat(path).st_mode if os.name == "posix" else 0
    except OSError:
        return 0


def belongs_to_root(path: str) -> bool:
    """
    :raises OSError: there is no such file.
    """
    return os.name == "posix" and os.stat(path).st_uid == 0


def _names(path: str) -> tuple[str, str]:
    """The path as it was given, and with its links resolved."""
    return os.path.abspath(path), os.path.realpath(path)


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the nearest one first."""
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder
