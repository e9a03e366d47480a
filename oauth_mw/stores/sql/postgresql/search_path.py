"""Which schema of a PostgreSQL database holds the store, whether its tables can be trusted, and what roles may do.

The ``search_path`` of server, role and URL is used only to find the store. No statement depends on it: a role that may
create in one of its schemas could place an operator or a function there that matches better than PostgreSQL's own and
runs as the store's role.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ....errors import ConfigError, StoreUnavailable
from .. import schema

if TYPE_CHECKING:
    from .driver import Driver

# The first statement of a session runs before the path is set, so each name in it has its schema. Behind a pooler the
# path may be another client's; DEFAULT is that of server, role and URL.
FIRST = """BEGIN; SET LOCAL search_path TO DEFAULT;
SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_schemas(false), pg_catalog.current_setting('search_path'),
current_user; COMMIT"""
SAFE_PATH = "pg_catalog, pg_temp"
_DEFAULT = "$user,public"
_AS_IN = "as in ?options=-csearch_path%3DNAME"


def _trusted(owner: str) -> str:
    """Whether a role has full control of the store anyway: this role and its members, superusers, and the owner of the
    database.

    A role that this one is a member of does not count: its owner can make any role a member. PostgreSQL's functions
    decide, since not every role may read the list of roles; they count superusers as members of each role.
    """
    return f"(pg_has_role({owner}, current_user, 'MEMBER') OR pg_has_role({owner}, 'pg_database_owner', 'MEMBER'))"


_TABLES = "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
_SCHEMAS = f"""SELECT nspname, {_trusted("nspowner")}, pg_get_userbyid(nspowner),
relowner IS NOT NULL, relowner = nspowner, {_trusted("relowner")}
FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = %s WHERE nspname = ANY(%s)"""
_OWN_TABLE = f"""SELECT relkind = 'r' AND ({_trusted("relowner")} OR relowner =
(SELECT relowner FROM pg_class AS store WHERE relnamespace = pg_namespace.oid AND relname = %s)),
pg_get_userbyid(relowner) {_TABLES} WHERE nspname = %s AND relname = %s"""
_STRANGE_OWNER = f"""SELECT pg_get_userbyid(relowner) {_TABLES}
WHERE nspname = %s AND relname = %s AND relowner <> nspowner AND NOT {_trusted("relowner")}"""
# The owner of the tables may do both. 0 is PUBLIC. A trigger runs as the role that writes.
_CREATORS = f"""SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS name
{_TABLES} CROSS JOIN LATERAL (SELECT * FROM aclexplode(COALESCE(nspacl, acldefault('n', nspowner))) UNION
SELECT * FROM aclexplode(relacl)) AS rights WHERE nspname = %s AND relname = ANY(%s)
AND privilege_type IN ('CREATE', 'TRIGGER') AND grantee <> relowner
AND (grantee = 0 OR NOT {_trusted("grantee")}) ORDER BY name"""
# What a service does with each table. It does not write the records of clients.
_NEEDED = {
    schema.store.name: ("SELECT", "UPDATE"),
    schema.clients.name: ("SELECT", "UPDATE (revoked_before)"),
    schema.crash_marker.name: ("SELECT", "INSERT"),
    schema.tokens.name: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    schema.revocations.name: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    schema.counters.name: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    schema.last_uses.name: ("SELECT", "INSERT", "UPDATE"),
    schema.key_set.name: ("SELECT", "UPDATE"),
}
_HAS = """SELECT CASE %s WHEN 'UPDATE (revoked_before)' THEN has_column_privilege(oid, 'revoked_before', 'UPDATE')
ELSE has_table_privilege(oid, %s) END, current_user FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND relname = %s"""


class Unusable(StoreUnavailable):
    """No store can be used through this connection until an operator changes something."""


def named_in(setting: str, path: Sequence[str], role: str) -> list[str]:
    """The schemas of the path that an operator named.

    Neither PostgreSQL's default nor ``"$user"`` names one: any role that may create schemas in the database may have
    created those schemas.

    :param setting: the ``search_path`` as it was set.
    :param path: the schemas that it resolves to.
    """
    plain = re.sub(r'["\s]', "", setting).lower()
    return [] if plain == _DEFAULT else [name for name in path if name != role or "$user" not in plain]


def find_schema(driver: Driver, path: Sequence[str], named: Sequence[str]) -> str:
    """The schema of the store; if there is none, the schema to create it in.

    :param path: the schemas of the session's first ``search_path``, in its order.
    :param named: the schemas that may belong to any role, since an operator named them.
    :raises Unusable: the path has no schema, several schemas have a store, or there is none and the first schema
        belongs to a role that could change the store.
    """
    rows = {name: row for name, *row in driver.execute(_SCHEMAS, (schema.store.name, list(path)))}
    strange = {name: row[1] for name, row in rows.items() if not row[0] and name not in named}
    found = [name for name in path if name in rows and name not in strange and rows[name][2]]
    sure = [name for name in found if rows[name][4]]
    likely = sure or [name for name in found if rows[name][3]] or found
    if len(likely) > 1 and not sure:
        several = f"the schemas {', '.join(likely)} of the search_path hold a store each"
        raise Unusable(f"{several}: name the right one in the URL, {_AS_IN}")
    usual = [name for name in path if not name.startswith("pg_")]
    for name in (*likely, *usual):
        if name in strange:
            what = f"the schema {name} belongs to the role {strange[name]}, which could change the store"
            raise Unusable(f"{what}: if that is right, name the schema in the URL, {_AS_IN}; if not, drop it")
        return name
    raise Unusable("no schema has been selected: set search_path to one that exists and that this role may use")


def has_table(driver: Driver, name: str) -> bool:
    """Whether the store has a table of this name. A table that another role created could run that role's code.

    :raises ConfigError: it is no table, or another role owns it than ``oauth_mw_store``; or it is that table, and its
        owner neither owns the schema nor is this role, and may have created the whole store.
    """
    row = driver.execute(_OWN_TABLE, (schema.store.name, driver.schema, name)).fetchone()
    if row and not row[0]:
        what = f"{driver.schema}.{name} is no table of the store, but was made by the role {row[1]}"
        raise ConfigError("store", f"{what}: drop it, or give it to the owner of {schema.store.name}")
    first = row and name == schema.store.name
    strange = first and driver.execute(_STRANGE_OWNER, (driver.schema, name)).fetchone()
    if strange:
        what = f"the tables in the schema {driver.schema} belong to the role {strange[0]}, which can change them"
        raise ConfigError("store", f"{what}: if it is yours, make it the owner of the schema; if not, drop them")
    return bool(row)


def warnings(driver: Driver) -> list[str]:
    """A warning about other roles that could place code of theirs in the store's schema, if there are any."""
    tables = [*schema.metadata.tables, schema.crash_marker.name]
    names = ", ".join(name for (name,) in driver.execute(_CREATORS, (driver.schema, tables)))
    what = f"in the schema {driver.schema}, or triggers on the store's tables"
    return [f"other roles may create {what} ({names}): revoke CREATE and TRIGGER"] if names else []


def missing_rights(driver: Driver) -> list[str]:
    """The rights that a service needs and the role lacks.

    A role may lack all rights on signing keys: they may be kept in files.
    """
    found = []
    for table, needed in _NEEDED.items():
        rows = [driver.execute(_HAS, (right, right, driver.schema, table)).fetchone() for right in needed]
        lacking = [right for right, row in zip(needed, rows, strict=True) if row and not row[0]]
        if lacking and not (table == schema.key_set.name and len(lacking) == len(needed)):
            role = next(row[1] for row in rows if row)
            found.append(f"the role {role} lacks {', '.join(lacking)} on {driver.schema}.{table}: GRANT it")
    return found


@lru_cache(256)
def placed(statement: str, name: str, plain: bool) -> bytes:
    """A statement in UTF-8, with the store's schema written into it.

    :param plain: it has no parameters, so ``%`` is not special.
    """
    quoted = '"' + name.replace('"', '""') + '"'
    return statement.replace(schema.PLACE, quoted if plain else quoted.replace("%", "%%")).encode()


# The rights on a table, which an upgrade grants on the table that replaces it

_FIND = "FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND relname = %s"
_OTHER_OWNER = f"SELECT quote_ident(pg_get_userbyid(relowner)) {_FIND} AND pg_get_userbyid(relowner) <> current_user"
_GRANTEE = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
_OF_RELATION = f"""SELECT {_GRANTEE}, privilege_type FROM
(SELECT relowner, relacl {_FIND}) AS found CROSS JOIN aclexplode(relacl) WHERE grantee <> relowner"""
_OF_COLUMNS = f"""SELECT DISTINCT {_GRANTEE}, privilege_type FROM pg_attribute CROSS JOIN aclexplode(attacl)
WHERE attrelid = (SELECT oid {_FIND})"""
# The column of clients that a service changes.
_REVOKED = "revoked_before"
# The rights that both tables have.
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def act_as_owner(driver: Driver) -> None:
    """For the rest of the transaction, act as the owner of the tables, so that it owns new ones, too."""
    for (role,) in driver.execute(_OTHER_OWNER, (driver.schema, schema.store.name)).fetchall():
        driver.execute(f"SET LOCAL ROLE {role}")


def hand_on(driver: Driver, table: str, heir: str) -> None:
    """See :meth:`~oauth_mw.stores.sql.engine.SQLEngine.hand_on`."""
    for role, right in driver.execute(_OF_RELATION, (driver.schema, table)).fetchall():
        if right in _RIGHTS:
            driver.execute(f"GRANT {right} ON {schema.PLACE}.{heir} TO {role}")
    for role, right in driver.execute(_OF_COLUMNS, (driver.schema, table)).fetchall():
        driver.execute(f"GRANT {right} ({_REVOKED}) ON {schema.PLACE}.{heir} TO {role}")
    for role, right in driver.execute(_OF_RELATION, (driver.schema, f"{table}_number_seq")).fetchall():
        driver.execute(f"GRANT {right} ON SEQUENCE {schema.PLACE}.{heir}_number_seq TO {role}")
