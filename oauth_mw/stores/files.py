"""The files of an SQLite store."""

from __future__ import annotations

import os

from ..errors import ConfigError

Identity = tuple[int, int]


def identity(path: str) -> Identity:
    """Device and inode: a file that was removed and made again is another one.

    :raises OSError: there is none.
    """
    found = os.stat(path)
    return found.st_dev, found.st_ino


def check_folder(folder: str) -> None:
    """SQLite makes further files beside the database, so an existing one needs a writable folder too.

    :raises ConfigError: it is missing or not writable.
    """
    if not os.path.isdir(folder):
        raise ConfigError("store", f"the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("store", f"the folder {folder} is not writable")


def make_database(path: str) -> None:
    """Create the database file where it is missing, readable by its owner alone.

    :raises ConfigError: its folder is missing or not writable, or it is not itself.
    """
    check_folder(os.path.dirname(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise ConfigError("store", f"{path} cannot be made ({error.strerror})") from None
    if not os.path.isfile(path) or not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError("store", f"{path} is not a file that can be read and written")
