"""The copy of an SQLite database that is kept before an upgrade."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from urllib.parse import quote

from ....errors import ConfigError
from .files import check_folder, give_to_owner_of


def keep_copy(path: str) -> str:
    """Copy what is committed, through SQLite, into a new file beside the database; its path.

    :raises ConfigError: as root, in the folder of another user, which could lead the copy to any file.
    :raises OSError: the copy cannot be made.
    :raises sqlite3.Error: likewise.
    """
    real = os.path.realpath(path)
    folder = os.path.dirname(real)
    check_folder(folder)
    if hasattr(os, "geteuid") and os.geteuid() == 0 != os.stat(folder).st_uid:
        raise ConfigError(
            "store", f"{folder} belongs to another user, and root makes no copy there: run this as the service's user"
        )
    copy = f"{real}.before-upgrade-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    descriptor = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        with os.fdopen(descriptor):
            give_to_owner_of(real, descriptor)
        with closing(_opened(real, "ro")) as source, closing(_opened(copy, "rw")) as target:
            source.backup(target)
    except BaseException:
        os.unlink(copy)
        raise
    return copy


def _opened(path: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode={mode}", uri=True)
