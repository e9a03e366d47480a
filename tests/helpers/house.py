"""Functions for ``on_refusal``, ``on_event``, ``on_issue`` and ``on_lifetime``, as a house has them."""

from __future__ import annotations

import json
from typing import Any


def body(environ: dict[str, Any], refusal: Any) -> tuple[str, bytes]:
    """All that the function is given, but for the environ, of which it takes the path."""
    return "application/problem+json", json.dumps({**refusal._asdict(), "path": environ["PATH_INFO"]}).encode()


def record(event: Any) -> None:
    """Take an event."""


def attributes(client: Any, scope: str, form: Any) -> dict[str, str]:
    """What the request says of itself."""
    return {"tier": form.get("tier", "none"), "granted": scope}


def seconds(client: Any, scope: str, form: Any) -> int:
    """Ten minutes for all tokens."""
    return 600
