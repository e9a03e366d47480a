"""Files of clients, for ``oauth-mw client apply``."""

from __future__ import annotations

# Its secret is SECRET, by the fixture ``apply``.
ONE = """
[clients.tester]
name = "a job"
scope = "read write"
secrets = [{ id = "first", variable = "TESTER_SECRET" }]
"""
