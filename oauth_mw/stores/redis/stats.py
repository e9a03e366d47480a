"""Counting what a store on Redis holds."""

from __future__ import annotations

from ...model import StoreStats
from . import clients, keys, log
from .network.checks import read_info
from .rows import read
from .scripts.changes import VERSION
from .session import RedisSession


def stats(session: RedisSession, now: int) -> StoreStats:
    """See :meth:`~oauth_mw.protocols.Store.stats`. Each page may take the time of one operation."""
    state = log.state(session)
    enabled = disabled = deleted = secrets = unexpired = expired = 0
    for page in clients.stored(session):
        alive = [each.client for each in page if not each.deleted]
        enabled += sum(client.enabled for client in alive)
        disabled += sum(not client.enabled for client in alive)
        deleted += len(page) - len(alive)
        secrets += sum(len(client.secrets) for client in alive)
    for tokens in session.token_keys():
        live = sum(int.from_bytes(key[:4]) > now for key in tokens)
        unexpired += live
        expired += len(tokens) - live
    info, events = session.run(session.keys.store, [("INFO", "server"), ("XLEN", session.keys.log)], session.deadline())
    return StoreStats(
        engine="Redis",
        engine_version=read(read_info, info).get("redis_version", ""),
        schema_version=int(VERSION),
        store_id=state.store_id,
        position=state.position,
        enabled=enabled,
        disabled=disabled,
        deleted=deleted,
        secrets=secrets,
        unexpired=unexpired,
        expired=expired,
        events=events,
        keys=len(keys.read_keys(session).keys),
    )
