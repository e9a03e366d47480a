"""The store in the process's own memory."""

from __future__ import annotations
