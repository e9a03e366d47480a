"""Registration and operation from Python: what the command line does, on a store that ``open_store(url)`` gave.

Every change survives power loss once the call has returned. What ends tokens is seen by every
worker of the machine on its next request.
"""

from __future__ import annotations

from .clients import (
    NewClient,
    NewSecret,
    add_client,
    add_secret,
    delete_client,
    disable_client,
    enable_client,
    get_client,
    revoke_all_tokens,
    revoke_secret,
    update_client,
)
from .moving import Amount, Copied, copy_store, holdings
from .tokens import TokenStatus, inspect_token, purge, revoke_token, token_key

__all__ = [
    "Amount",
    "Copied",
    "NewClient",
    "NewSecret",
    "TokenStatus",
    "add_client",
    "add_secret",
    "copy_store",
    "delete_client",
    "disable_client",
    "enable_client",
    "get_client",
    "holdings",
    "inspect_token",
    "purge",
    "revoke_all_tokens",
    "revoke_secret",
    "revoke_token",
    "token_key",
    "update_client",
]
