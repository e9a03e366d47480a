"""The limits of a client, as options of ``oauth-mw client`` and in what it shows."""

from __future__ import annotations

from typing import Any

import click

from ..model import Client
from .terminal import merged


def _several(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    return values or None


limit_options = merged(
    click.option(
        "--allow-address",
        "allowed_addresses",
        multiple=True,
        callback=_several,
        metavar="CIDR",
        help="Network from which it and its tokens are accepted, such as 192.0.2.0/24 (none: all); repeatable.",
    ),
    click.option(
        "--only",
        "allowed_requests",
        multiple=True,
        callback=_several,
        metavar="REQUEST",
        help='What its tokens are accepted for, such as "GET,POST /weather/*" (none: everything); repeatable.',
    ),
    click.option(
        "--rate-limit",
        metavar="RATE",
        help="Requests that it may send with its tokens: 100/minute, or off. Each worker counts, with Redis all.",
    ),
)
# The fields that an update can clear, by the options that set them, and what holds then.
CLEARED_LIMITS = {
    "allow-address": ("allowed_addresses", "all addresses are accepted"),
    "only": ("allowed_requests", "its tokens are accepted for everything"),
    "rate-limit": ("rate_limit", "use the server's"),
}


def limit_views(client: Client) -> dict[str, Any]:
    return {
        "allowed_addresses": list(client.allowed_addresses),
        "allowed_requests": list(client.allowed_requests),
        "rate_limit": client.rate_limit,
    }


def limit_pairs(client: Client) -> list[tuple[str, str]]:
    return [
        ("allowed_addresses", " ".join(client.allowed_addresses) or "all"),
        ("allowed_requests", ", ".join(client.allowed_requests) or "all"),
        ("rate_limit", client.rate_limit or "the option rate_limit"),
    ]
