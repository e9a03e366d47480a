"""Signing keys from PEM files, for those who keep keys elsewhere than in the store."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from ..errors import ConfigError
from ..permissions import mode_of
from . import keypair
from .keypair import Key

# No PEM of a key is longer.
MAX_BYTES = 65_536


class FileKeys:
    """The keys of some files, read once. The first signs, all verify.

    :param paths: PEM files; all but the first may hold a public key alone.
    :param password: what those that are encrypted are encrypted with.
    :raises ConfigError: there is a fault in one of them.
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
        self._signing = next(iter(keys.values()))

    def find(self, kid: str) -> Key | None:
        """A key whose tokens are good."""
        return self._keys.get(kid)

    def public(self) -> list[dict[str, str]]:
        """The key set for others (RFC 7517 §5)."""
        return [key.jwk() for key in self._keys.values()]

    def signing(self, expires_at: int) -> Key:
        """The key that signs. How long others find it is a matter of the files."""
        return self._signing

    def forget(self) -> None:
        """What the files hold was read once."""


def readable_by_all(paths: Sequence[str]) -> list[str]:
    """Those of the files that hold a private key and that every user of the machine can read."""
    return [path for path in paths if mode_of(path) & stat.S_IROTH and _is_private(_text(path))]


def _read(path: str, password: str | None, *, public: bool) -> Key:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise _fault(path, "it is no file")
        if os.name == "posix" and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise _fault(path, "others than its owner may write it: chmod go-w")
        text = _text(path)
    except OSError as error:
        raise _fault(path, f"it cannot be read ({error.strerror})") from None
    try:
        if not _is_private(text) and "PUBLIC KEY-----" in text:
            if not public:
                raise ValueError("the first file signs, and this holds only a public key")
            return keypair.from_public_pem(text)
        return keypair.from_pem(text, password)
    except ValueError as error:
        raise _fault(path, str(error)) from None


def _text(path: str) -> str:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES).decode("latin-1")


def _is_private(text: str) -> bool:
    return "PRIVATE KEY-----" in text


def _fault(path: str, message: str) -> ConfigError:
    return ConfigError("signing_key_files", f"{path}: {message}")
