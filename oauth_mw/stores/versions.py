"""Stores whose schema has another version than the one of this code."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError, StoreOutdated

# Called during an upgrade, with how much was done since the last call and how much there is in all.
Progress = Callable[[int, int], None]

UPGRADABLE = 2  # the oldest version that an upgrade can begin with
UPGRADE = "oauth-mw --store URL store upgrade"


def other_version(url: str, found: int, known: int, *, under_way: bool = False) -> ConfigError:
    """The refusal of a store whose schema has another version than ``known``.

    :param url: of the store, for people.
    :param under_way: whether an upgrade from ``found`` was begun and has not finished.
    """
    if under_way:
        way_out = f"an upgrade was begun and has not finished; if none is running, run `{UPGRADE}` again"
    elif found > known:
        way_out = "upgrade oauth_mw"
    elif found >= UPGRADABLE:
        way_out = f"stop all workers that use it, then run `{UPGRADE}`"
    else:
        way_out = "an older oauth_mw made it, and this one cannot read it"
    message = f"{url} has schema version {found}, this oauth_mw knows {known}: {way_out}"
    return StoreOutdated(message) if UPGRADE in way_out else ConfigError("store", message)
