"""The Lua scripts of the Redis store."""

from __future__ import annotations
