"""The files of an SQLite store."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ....errors import ConfigError, StoreBroken, StoreUnavailable

MOUNTS = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")

Identity = tuple[int, int]

# What lies beside a database: SQLite's own files, and the counter.
SQLITE_COMPANIONS = ("-wal", "-shm", "-journal")
COMPANIONS = (*SQLITE_COMPANIONS, "-oauth_mw")

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def identity_of(found: os.stat_result) -> Identity:
    """Device and inode: a file that was removed and made again is another one."""
    return found.st_dev, found.st_ino


def absolute(path: str) -> str:
    """The absolute path, with one slash at its beginning: Python keeps two, which SQLite takes for those of a host."""
    return os.path.abspath(path).replace("//", "/", 1)


def address(path: str, mode: str) -> str:
    """The URI by which SQLite opens a file that exists."""
    return f"file:{quote(os.fsencode(path))}?mode={mode}"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0  # Windows has no users like these


def check_names(path: str) -> bool:
    """Refuse a database that can be opened by a second name.

    SQLite's and our own files lie beside the name, so processes that use one name would not see what processes that use
    the other name write.

    :return: whether the system shows its mounts.
    :raises ConfigError: it has several hard links, or is itself a mount.
    :raises OSError: there is no database.
    """
    if os.stat(path).st_nlink > 1:
        raise ConfigError("store", f"{path} has a second name (a hard link): remove one of them, and copy by `.backup`")
    try:
        with open(MOUNTS, "rb") as lines:
            # The kernel writes some bytes of a path in octal.
            mounts = {_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4]) for line in lines}
    except OSError:  # not Linux, or hidden
        return False
    if os.fsencode(os.path.realpath(path)) in mounts:
        raise ConfigError("store", f"{path} is mounted by itself: mount the folder that it lies in, not the file")
    return True


def check_planted(path: str) -> None:
    """As root, refuse files that the owner of the database may have replaced by a link to a file of root.

    :raises ConfigError: a link on the way to the database, or a file of SQLite's beside it, is not its owner's; or
        root's database lies in the folder of another user.
    :raises StoreUnavailable: there is a rollback journal that another user may have written: SQLite deletes the file
        that a journal names.
    :raises OSError: there is no database.
    """
    if not _is_root():
        return
    real = os.path.realpath(path)
    database, folder = os.stat(real), os.stat(os.path.dirname(real))
    _check_links(path, database.st_uid)
    if database.st_uid == 0 != folder.st_uid:
        raise ConfigError(
            "store",
            f"{real} belongs to root, its folder to user {folder.st_uid}: give the database and the files beside it"
            " to that user",
        )
    for suffix in SQLITE_COMPANIONS:
        with suppress(FileNotFoundError):
            _check_companion(real + suffix, database)
    with suppress(FileNotFoundError):
        journal = os.lstat(real + "-journal")
        if is_shared(path) or journal.st_uid != 0 or journal.st_mode & _OTHERS_WRITE:
            raise StoreUnavailable(
                f"{real}-journal may have been written by another user, and root does not apply it: run `oauth-mw store"
                " info` as the service's user, which applies a valid journal; remove the file if it is still there then"
            )


def _check_links(path: str, owner: int) -> None:
    """Refuse a link of a third user on the way to a database: it may lead to the store of another service."""
    for each in (Path(path), *Path(path).parents):
        named = os.lstat(each)
        if not stat.S_ISLNK(named.st_mode):
            continue
        if named.st_uid not in (0, owner):
            what = f"{each} is a link of user {named.st_uid} to what belongs to user {owner}"
            raise ConfigError("store", f"{what}: name the place that it leads to, or run this as user {owner}")
        _check_links(os.path.join(each.parent, os.readlink(each)), owner)


def is_shared(path: str) -> bool:
    """Whether this process is root, and other users may place files beside the database."""
    if not _is_root():
        return False
    names = (os.path.abspath(path), os.path.realpath(path))
    above = [os.stat(folder) for name in names for folder in Path(name).parent.parents]
    beside = [os.stat(os.path.dirname(name)) for name in names]
    # In a sticky folder above, other users replace nothing.
    return any(each.st_uid or each.st_mode & _OTHERS_WRITE for each in beside) or any(
        each.st_uid or (each.st_mode & _OTHERS_WRITE and not each.st_mode & stat.S_ISVTX) for each in above
    )


@contextmanager
def as_owner(path: str) -> Iterator[None]:
    """As root on Linux, let this thread write and delete files only as the owner of the database.

    A file beside the database can be exchanged at any time, also after :func:`check_planted`.
    """
    owner = _owner(path) if is_shared(path) and sys.platform == "linux" else None
    if owner is None:
        yield
        return
    import ctypes  # here alone, since few processes need it

    libc = ctypes.CDLL(None)
    groups, user = libc.setfsgid(owner[1]), libc.setfsuid(owner[0])
    try:
        # The owner may not pass through the folders above, so the right to read is kept: CAP_DAC_READ_SEARCH.
        version, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        libc.capget(version, rights)
        rights[0] |= rights[1] & 1 << 2
        libc.capset(version, rights)
        yield
    finally:
        libc.setfsuid(user)
        libc.setfsgid(groups)


def _owner(path: str) -> tuple[int, int] | None:
    """The user and group that SQLite's files belong to; ``None`` for root."""
    database, folder = os.stat(path), os.stat(os.path.dirname(os.path.realpath(path)))
    # The owner of a link first: it may point the link at a file of root at any time.
    for each in (os.lstat(path), database, folder):
        if each.st_uid:
            return each.st_uid, (database if each.st_uid == folder.st_uid else folder).st_gid
    return None


def _check_companion(path: str, database: os.stat_result) -> None:
    found = os.lstat(path)
    # If other users may write the database, SQLite's files belong to the first that needed them.
    if wrong := why_planted(found, database, others=found.st_uid != 0):
        raise ConfigError("store", f"{path} {wrong}: root does not write into it; run this as the user of the service")


def why_planted(found: os.stat_result, database: os.stat_result, *, others: bool) -> str:
    """Why a file beside the database may not be used; empty if it may.

    :param others: accept the file of any user if other users than its owner may write the database.
    """
    if not stat.S_ISREG(found.st_mode):
        return "is a link or no regular file"
    if found.st_nlink > 1:
        return "has a second name (a hard link)"
    if found.st_uid == database.st_uid or (others and database.st_mode & _OTHERS_WRITE):
        return ""
    return f"belongs to user {found.st_uid}, the database to user {database.st_uid}"


def check_folder(folder: str) -> None:
    """Check the database's folder: SQLite creates files beside the database, so it must be writable.

    :raises StoreBroken: it is missing or not writable.
    :raises StoreUnavailable: the file system does not answer.
    """
    try:
        exists = stat.S_ISDIR(os.stat(folder).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        exists = False
    except OSError as error:
        raise _refusal(f"the folder {folder} cannot be reached", error) from None
    if not exists:
        raise StoreBroken(f"the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreBroken(f"the folder {folder} is not writable")


def give_to_owner_of(model: str, descriptor: int) -> None:
    """Give a file that root has created to the owner and group of ``model``.

    :raises OSError: the system does not permit it.
    """
    if _is_root():
        found = os.stat(model)
        os.fchown(descriptor, found.st_uid, found.st_gid)


def make_database(path: str) -> None:
    """Create the database file if it is missing. Only the owner of its folder, who becomes its owner, may read it.

    :raises StoreBroken: its folder is missing or not writable, or the file cannot be read and written.
    :raises ConfigError: as root, a link of a third user leads to its folder.
    :raises StoreUnavailable: the file system does not answer, or is full.
    """
    folder = os.path.dirname(path)
    check_folder(folder)
    if _is_root():
        _check_links(folder, os.stat(folder).st_uid)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        with suppress(OSError), os.fdopen(descriptor):
            give_to_owner_of(folder, descriptor)
    except FileExistsError:
        pass
    except OSError as error:
        raise _refusal(f"{path} cannot be created", error) from None
    if not os.path.isfile(path) or not os.access(path, os.R_OK | os.W_OK):
        raise StoreBroken(f"{path} is not a file that can be read and written")


def keep_copy(path: str) -> str:
    """Copy what is committed into a new file beside the database, before an upgrade.

    :return: the path of the copy.
    :raises ConfigError: as root, if the folder is another user's, which could redirect the copy to any file.
    :raises OSError: the copy cannot be made.
    :raises sqlite3.Error: likewise.
    """
    import sqlite3  # here alone, since `import oauth_mw` imports this module

    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    check_folder(folder)
    if _is_root() and os.stat(folder).st_uid != 0:
        raise ConfigError(
            "store", f"{folder} belongs to another user, and root makes no copy there: run this as the service's user"
        )
    copy = f"{real}.before-upgrade-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        with os.fdopen(descriptor):
            give_to_owner_of(real, descriptor)
        with closing(sqlite3.connect(address(real, "ro"), uri=True)) as source:
            with closing(sqlite3.connect(address(copy, "rw"), uri=True)) as target:
                source.backup(target)
    except BaseException:
        os.unlink(copy)
        raise
    return copy


# Errors that may pass by themselves, and are not a fault of the configuration.
_PASSING = {errno.EDQUOT, errno.EHOSTDOWN, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
# ENOTCONN: of a file system that a process provides, which has ended.
_PASSING |= {errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT}


def _refusal(what: str, error: OSError) -> StoreBroken | StoreUnavailable:
    text = f"{what} ({error.strerror})"
    return StoreUnavailable(text) if error.errno in _PASSING else StoreBroken(text)
