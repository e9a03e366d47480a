"""The tokens of a client in Redis, which has no index of them."""

from __future__ import annotations

from collections.abc import Sequence

from ...model import TOKENS_PER_PAGE, TokenRecord
from ..decoding import decoded, text
from .network import Replies
from .records import find_cutoff
from .rows import read, several, token_from
from .session import RedisSession


def tokens_of(session: RedisSession, client_id: str, after: bytes = b"") -> Sequence[tuple[bytes, TokenRecord]]:
    """See :meth:`oauth_mw.protocols.TokenStore.tokens_of`."""
    found: dict[bytes, bytes] = {}
    for keys in session.token_keys():
        wanted = [key for key in keys if key > after]
        rows = zip(wanted, _rows(session, wanted), strict=True)
        found |= {key: row for key, row in rows if row is not None and read(_owner, row) == client_id}
        found = dict(sorted(found.items())[:TOKENS_PER_PAGE])
    # Read after the rows, as when a token is checked. This raises if the store is missing.
    session.fields(deadline=session.deadline())
    if not found:
        return []
    (marks,) = session.query(("HMGET", session.keys.revoked, *found))
    cutoff, revoked = find_cutoff(session, client_id, session.deadline()), read(several, len(found), marks)
    return [
        (key, read(token_from, row, position is not None, cutoff))
        for (key, row), position in zip(found.items(), revoked, strict=True)
    ]


def _rows(session: RedisSession, keys: Sequence[bytes]) -> Replies:
    commands = [("GET", session.keys.token(key)) for key in keys]
    if session.servers.single_node:
        return session.query(*commands) if commands else []
    return [session.run(command[1], [command], session.deadline())[0] for command in commands]


def _owner(row: bytes) -> str:
    return text(decoded(row)[0])
