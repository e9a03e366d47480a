from __future__ import annotations

import os

os.environ["STORE"] = "memory://"  # the programs open their store when they are imported; `oauth` has one of its own

pytest_plugins = ["oauth_mw.testing.pytest"]
