"""Token formats, and the cache of verified tokens."""

from __future__ import annotations
