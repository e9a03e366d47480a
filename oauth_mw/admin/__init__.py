"""Administration from Python: what the command line does, on a store from :func:`oauth_mw.open_store`.

Every change survives power loss once the call has returned. With SQLite, each worker sees a revocation at its next
request; with PostgreSQL and Redis, within ``revocation_lag_seconds``. Every function raises ``StoreUnavailable`` if the
store does not answer; ``NotFound`` if the client, secret, token or key that it is given does not exist; and
``AdminError`` if a change is not allowed. :func:`apply_clients` raises ``ConfigError`` with all faults of a file.

Each change is an event of the audit trail, for the handlers of the logger ``oauth_mw.audit``. It names the operating
system's user, or inside of :func:`acting_as` who that says.
"""

from __future__ import annotations

from .applying import ClientChange, apply_clients, export_clients
from .client_tables import Difference
from .clients import (
    NewClient,
    NewSecret,
    add_client,
    add_secret,
    client_warnings,
    delete_client,
    disable_client,
    enable_client,
    get_client,
    list_clients,
    revoke_all_tokens,
    update_client,
)
from .copying import Copied, Count, copy_store, stats
from .keys import (
    KeyStatus,
    import_key,
    key_warnings,
    list_keys,
    private_key,
    public_key,
    public_keys,
    retire_key,
    rotate_key,
)
from .rotation import Rotation, revoke_secret, rotate_secret, undo_rotation
from .tokens import TokenStatus, inspect_jwt, inspect_token, list_tokens, purge, revoke_jwt, revoke_token, token_key
from .trail import acting_as
from .uses import LastUse, last_use, unused_clients, with_last_use

__all__ = ["NewClient", "NewSecret", "add_client", "add_secret", "client_warnings", "delete_client", "disable_client"]
__all__ += ["enable_client", "get_client", "list_clients", "revoke_all_tokens", "revoke_secret", "update_client"]
__all__ += ["ClientChange", "Difference", "apply_clients", "export_clients"]
__all__ += ["Copied", "Count", "copy_store", "stats"]
__all__ += ["KeyStatus", "import_key", "key_warnings", "list_keys", "private_key", "public_key", "public_keys"]
__all__ += ["retire_key", "rotate_key"]
__all__ += ["Rotation", "rotate_secret", "undo_rotation"]
__all__ += ["LastUse", "last_use", "unused_clients", "with_last_use"]
__all__ += ["TokenStatus", "inspect_jwt", "inspect_token", "list_tokens", "purge", "revoke_jwt", "revoke_token"]
__all__ += ["token_key"]
__all__ += ["acting_as"]
