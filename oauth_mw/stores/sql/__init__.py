"""The store on a SQL engine."""

from __future__ import annotations
