"""PostgreSQL: connections, URLs, and the session's settings."""

from __future__ import annotations
