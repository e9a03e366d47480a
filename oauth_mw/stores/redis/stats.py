"""Counting what a store on Redis holds."""

from __future__ import annotations

from ...model import StoreStats
from ...protocols import ClientStore
from ..counts import count_clients
from ..decoding import number
from . import keys, log
from .network.checks import read_info
from .network.nodes import Command
from .rows import read
from .scripts.changes import VERSION
from .session import RedisSession


def stats(store: ClientStore, session: RedisSession, now: int) -> StoreStats:
    """See :meth:`~oauth_mw.protocols.Store.stats`. Each page may take the time of one operation."""
    state, clients = log.state(session), count_clients(store)
    unexpired = expired = 0
    for tokens in session.token_keys():
        live = sum(int.from_bytes(key[:4]) > now for key in tokens)
        unexpired += live
        expired += len(tokens) - live
    counts: list[Command] = [("ZCARD", session.keys.clients), ("XLEN", session.keys.log), ("INFO", "server")]
    ids, events, info = session.run(session.keys.store, counts, session.deadline())
    return StoreStats(
        engine="Redis",
        engine_version=read(read_info, info).get("redis_version", ""),
        schema_version=int(VERSION),
        store_id=state.store_id,
        position=state.position,
        enabled=clients.enabled,
        disabled=clients.disabled,
        deleted=max(read(number, ids) - clients.enabled - clients.disabled, 0),
        secrets=clients.secrets,
        unexpired=unexpired,
        expired=expired,
        events=read(number, events),
        keys=len(keys.read_keys(session).keys),
    )
