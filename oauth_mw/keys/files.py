"""Signing keys from PEM files, instead of keys in the store."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from ..errors import ConfigError
from ..permissions import open_to_others
from . import MAX_PEM_BYTES, keypair
from .keypair import Key

PRIVATE = "PRIVATE KEY-----"


class FileKeys:
    """The keys of some PEM files, read once. The first signs, all verify.

    :param paths: all but the first may hold only a public key.
    :param password: decrypts those that are encrypted.
    :raises ConfigError: a file cannot be used; the error names it.
    """

    def __init__(self, paths: Sequence[str], password: str | None) -> None:
        keys: dict[str, Key] = {}
        for path in paths:
            key = _read(path, password, public=bool(keys))
            if key.kid in keys:
                raise _fault(path, "it holds the same key as an earlier file")
            keys[key.kid] = key
        if not keys:
            raise ConfigError("signing_key_files", "expected at least one file")
        self._keys = keys

    def find(self, kid: str, *, anew: bool = False) -> Key | None:
        return self._keys.get(kid)

    def public(self) -> list[dict[str, str]]:
        """The members of the published key set (RFC 7517 §5)."""
        return [key.jwk() for key in self._keys.values()]

    def times(self) -> dict[str, int]:
        """Return nothing: a file does not show when its key was made."""
        return {}

    def signing(self, expires_at: int) -> Key:
        """The first key. The operator keeps its file until ``expires_at``."""
        return next(iter(self._keys.values()))

    def forget(self) -> None:
        """Do nothing: revocation events concern keys in the store only."""


def access_warnings(paths: Sequence[str]) -> list[str]:
    """Sentences about the access of other users to the files. Those without a private key may be read."""
    return [sentence for path in paths for sentence in open_to_others(path, secret=PRIVATE in _text(path))]


def _read(path: str, password: str | None, *, public: bool) -> Key:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise _fault(path, "it is not a regular file")
        if os.name == "posix" and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _fault(path, "other users can write it: chmod go-w")
        text = _text(path)
    except OSError as error:
        raise _fault(path, f"it cannot be read ({error.strerror})") from None
    try:
        if PRIVATE in text or "PUBLIC KEY-----" not in text:
            return keypair.from_pem(text, password)
        if public:
            return keypair.from_public_pem(text)
        raise ValueError("it holds only a public key, and the first file must sign")
    except ValueError as error:
        raise _fault(path, str(error)) from None


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(MAX_PEM_BYTES).decode("latin-1")


def _fault(path: str, message: str) -> ConfigError:
    return ConfigError("signing_key_files", f"{path}: {message}")
