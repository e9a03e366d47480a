"""What roles may do with the tables of a store, when an upgrade makes new ones in the place of old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema import PLACE, store

if TYPE_CHECKING:
    from .driver import Driver

_FIND = "FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s) AND relname = %s"
_OTHER_OWNER = f"SELECT quote_ident(pg_get_userbyid(relowner)) {_FIND} AND pg_get_userbyid(relowner) <> current_user"
_GRANTEE = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
_OF_RELATION = f"""SELECT {_GRANTEE}, privilege_type FROM
(SELECT relowner, relacl {_FIND}) AS found CROSS JOIN aclexplode(relacl) WHERE grantee <> relowner"""
_OF_COLUMNS = f"""SELECT DISTINCT {_GRANTEE}, privilege_type FROM pg_attribute CROSS JOIN aclexplode(attacl)
WHERE attrelid = (SELECT oid {_FIND})"""
# The column of clients that a service changes.
_REVOKED = "revoked_before"
# What there is of both tables.
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def act_as_owner(driver: Driver) -> None:
    """For the rest of the transaction, do all as the owner of the tables: new ones must be that role's, too."""
    for (role,) in driver.execute(_OTHER_OWNER, (driver.schema, store.name)).fetchall():
        driver.execute(f"SET LOCAL ROLE {role}")


def hand_on(driver: Driver, table: str, heir: str) -> None:
    """See :meth:`~oauth_mw.stores.sql.engine.SQLEngine.hand_on`."""
    for role, right in driver.execute(_OF_RELATION, (driver.schema, table)).fetchall():
        if right in _RIGHTS:
            driver.execute(f"GRANT {right} ON {PLACE}.{heir} TO {role}")
    for role, right in driver.execute(_OF_COLUMNS, (driver.schema, table)).fetchall():
        driver.execute(f"GRANT {right} ({_REVOKED}) ON {PLACE}.{heir} TO {role}")
    for role, right in driver.execute(_OF_RELATION, (driver.schema, f"{table}_number_seq")).fetchall():
        driver.execute(f"GRANT {right} ON SEQUENCE {PLACE}.{heir}_number_seq TO {role}")
