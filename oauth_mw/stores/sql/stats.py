"""Count what a store on a SQL engine holds: tokens in steps, each of which is short compared with any timeout."""

from __future__ import annotations

from sqlalchemy import bindparam, func, select, text

from ...model import StoreStats
from ...protocols import Store
from ..counts import count_clients
from . import schema
from .engine import SQLEngine

_store, _client, _token, _log = schema.store, schema.clients, schema.tokens, schema.revocations


_TABLES = ", ".join(f"'{name}'" for name in schema.metadata.tables)
# By dialect: the engine's name, and statements for its version and the size of the store.
_DIALECTS = {
    "sqlite": (
        "SQLite",
        "SELECT sqlite_version()",
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    ),
    "postgresql": (
        "PostgreSQL",
        "SELECT current_setting('server_version')",
        f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ({_TABLES}) AND relnamespace ="
        f" (SELECT relnamespace FROM pg_class WHERE oid = (SELECT tableoid FROM {schema.PLACE}.oauth_mw_store))",
    ),
}

_STATE = select(
    _store.c.store_id,
    _store.c.version,
    _store.c.position,
    select(func.count()).where(_client.c.deleted).scalar_subquery(),
    select(func.count()).select_from(_log).scalar_subquery(),
)
_OF_RANGE = [_token.c.key > bindparam("after"), _token.c.key < bindparam("until")]
_STEP = select(_token.c.key).where(*_OF_RANGE).order_by(_token.c.key).limit(1).offset(bindparam("others"))
_REST = select(func.count()).select_from(_token).where(*_OF_RANGE)


def stats(store: Store, engine: SQLEngine, now: int) -> StoreStats:
    """See :meth:`oauth_mw.protocols.Store.stats`.

    :raises StoreUnavailable: the engine does not answer.
    """
    with engine.reading() as link:
        name, *texts = _DIALECTS[link.core.dialect.name]
        version, size = (link.core.execute(text(each)).scalar_one() for each in texts)
        store_id, schema_version, position, deleted, events = link.core.execute(_STATE).one()
    counts = count_clients(store)._asdict()
    live = (now + 1).to_bytes(4)
    return StoreStats(
        engine=name,
        engine_version=version,
        schema_version=schema_version,
        store_id=store_id,
        position=position,
        deleted=deleted,
        unexpired=_count(engine, live, b"\xff" * 33, store.sizes.counted),
        expired=_count(engine, b"", live, store.sizes.counted),
        events=events,
        keys=len(store.read_keys().keys),
        size=int(size),
        **counts,
    )


def _count(engine: SQLEngine, after: bytes, until: bytes, at_once: int) -> int:
    """How many tokens have a key between these.

    :param at_once: how many of them a statement counts.
    """
    count = 0
    while True:
        of_range = {"after": after, "until": until}
        with engine.reading() as link:
            step = link.core.execute(_STEP, {**of_range, "others": at_once - 1}).first()
            if step is None:
                return count + int(link.core.execute(_REST, of_range).scalar_one())
        after = step[0]
        count += at_once
