"""``oauth-mw purge``: remove expired tokens."""

from __future__ import annotations

import sys
import time

import click

from .. import admin
from ..admin.tokens import PURGE_ROWS
from ..protocols import Store
from ..tokens.opaque import CLOCK_MARGIN
from .output import json_option, print_result
from .target import Target

LONG_WORK = 10_000


@click.command()
@json_option
@click.pass_obj
def purge(target: Target, as_json: bool) -> None:
    """Remove all tokens that expired more than a minute ago. Workers remove some at every hundredth issue."""
    with target.store() as store:
        removed = _purge(store)
    print_result({"removed": removed}, f"removed {removed} expired token{'' if removed == 1 else 's'}", as_json)


def _purge(store: Store) -> int:
    steps = admin.purge(store)
    removed = next(steps, 0)
    # Counting is slow, and Redis removes expired tokens by itself.
    if removed < PURGE_ROWS or (due := store.count_tokens(before=int(time.time()) - CLOCK_MARGIN)) < LONG_WORK:
        return removed + sum(steps)
    with click.progressbar(length=due, label="purging", file=sys.stderr) as bar:
        for swept in steps:
            removed += swept
            bar.update(swept)
    return removed
