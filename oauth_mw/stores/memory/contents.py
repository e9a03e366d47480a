"""What a store in memory holds."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from threading import Lock

from ...model import Client, KeySet, Revocation, TokenRecord


@dataclass
class Contents:
    """All that there is. ``head`` is where the log stands, in a cell that C code alone can read.

    ``ended`` and ``revoked`` are the positions of the last end of a client's tokens, and of a token's own; ``alone``
    has the positions of a client's tokens that lie nowhere else.
    Of a copy, ``origin`` says of which store and where its log then stood, ``copied`` has a digest
    of each client as it was written, ``copied_keys`` the ids of the signing keys that came from there.
    ``remembered`` is a heap of the ids in ``once`` by their last seconds.
    """

    lock: Lock = field(default_factory=Lock)
    store_id: str = field(default_factory=lambda: secrets.token_hex(8))
    clients: dict[str, Client] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ended: dict[str, int] = field(default_factory=dict)
    tokens: dict[bytes, TokenRecord] = field(default_factory=dict)
    by_expiry: list[bytes] = field(default_factory=list)
    revoked: dict[bytes, int] = field(default_factory=dict)
    alone: dict[str, dict[bytes, int]] = field(default_factory=dict)
    log: list[Revocation] = field(default_factory=list)
    floor: int = 0
    head: list[int] = field(default_factory=lambda: [0])
    origin: tuple[str, int] | None = None
    copied: dict[str, bytes] = field(default_factory=dict)
    copied_keys: set[str] = field(default_factory=set)
    keys: KeySet = KeySet()
    once: set[bytes] = field(default_factory=set)
    remembered: list[tuple[int, bytes]] = field(default_factory=list)
