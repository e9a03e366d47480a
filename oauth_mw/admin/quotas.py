"""What the quotas of a client may be."""

from __future__ import annotations

from ..errors import AdminError
from ..model import QUOTA_MODES, Client

MAX_QUOTA = 10**9


def check_quotas(client: Client) -> None:
    """
    :raises AdminError: a value is not allowed.
    """
    for quota in (client.tokens_per_hour, client.tokens_per_day):
        if quota is not None and not (type(quota) is int and 1 <= quota <= MAX_QUOTA):
            raise AdminError(f"a quota is from 1 to {MAX_QUOTA} tokens")
    if client.quota_mode not in (None, *QUOTA_MODES):
        raise AdminError(f"a quota mode is one of: {', '.join(QUOTA_MODES)}")
