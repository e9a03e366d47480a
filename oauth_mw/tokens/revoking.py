"""Revoke tokens (RFC 7009) by their rows, or by the revocation log alone.

Each function raises ``StoreUnavailable`` if the revocation is not confirmed.
"""

from __future__ import annotations

from ..model import Client
from ..protocols import ClientStore, Store


def revoke_row(store: Store, key: bytes, caller: str) -> bool:
    """Revoke an opaque token; false if it was revoked before.

    :param caller: see :meth:`~oauth_mw.protocols.TokenStore.revoke_token`.
    """
    token = None if store.rows_show_all else store.find_token(key)
    if token is None:
        return store.revoke_token(key, caller)
    if token.revoked:
        return False
    return revoke_log_only(store, token.client_id, key, token.position, token.issued_at)


def revoke_log_only(store: Store, client_id: str, key: bytes, position: int, issued_at: int) -> bool:
    """Revoke a token by the log alone; false if it was revoked before.

    Every worker keeps such revocations in memory. When a client has too many, all of its tokens are revoked instead.

    :param position: the token's own, see :class:`~oauth_mw.model.TokenRecord`.
    :param issued_at: the Unix second of its issue.
    """
    count = store.revoke_log_only(client_id, key, position, issued_at)
    if count > store.sizes.log_only_per_client:
        revoke_all(store, client_id)
    return count > 0


def revoke_all(store: ClientStore, client_id: str, issued_before: int | None = None) -> Client | None:
    """Revoke all tokens of a client, and change nothing else; ``None`` if there is no such client.

    :param issued_before: only those that were issued before this Unix second.
    """
    return store.update_client(client_id, lambda client: client, revoke_tokens=True, issued_before=issued_before)
