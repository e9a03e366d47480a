"""How Redis servers are reached: one server, Sentinels, or a cluster."""

from __future__ import annotations
