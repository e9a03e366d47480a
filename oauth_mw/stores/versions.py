"""Stores that were made by another version of this code."""

from __future__ import annotations

from ..errors import ConfigError


def other_version(url: str, found: int, known: int) -> ConfigError:
    """The refusal of a store whose schema has another version than the one that is known here.

    :param url: of the store, for people.
    """
    way_out = "upgrade oauth_mw" if found > known else "an older oauth_mw made it, and this one cannot read it"
    return ConfigError("store", f"{url} has schema version {found}, this oauth_mw knows {known}: {way_out}")
