"""Print what a Redis could lose of what it acknowledged, and what else ``oauth-mw check`` warns of.

    python examples/redis/durable.py

The environment variable STORE (default: redis://127.0.0.1:6379/0) names the server and its database.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing

from oauth_mw import StoreUnavailable, open_store


def main(url):
    with closing(open_store(url, create=True)) as store:
        for warning in store.warnings():
            print(warning)


if __name__ == "__main__":
    try:
        main(os.environ.get("STORE", "redis://127.0.0.1:6379/0"))
    except StoreUnavailable as error:
        sys.exit(f"durable: {error}")
