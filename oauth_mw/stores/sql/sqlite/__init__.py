"""SQLite: connections, sessions, and the files beside the database."""

from __future__ import annotations
