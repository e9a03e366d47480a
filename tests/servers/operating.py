"""An operator in a process of its own, who does through the Python API what each line of input says."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Self

from helpers.changes import remove_key
from oauth_mw import admin, open_store


class Operator:
    """Runs this file. A call returns when the operation has returned in the other process."""

    def __init__(self, store_url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, *words: str) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate(timeout=10)


def serve(store_url: str) -> None:
    store = open_store(store_url)
    for line in sys.stdin:
        match line.split():
            case ["add", client_id, secret]:
                admin.add_client(store, client_id, scope="read", client_id=client_id, secret=secret)
            case ["revoke-all", client_id]:
                admin.revoke_all_tokens(store, client_id)
            case ["disable", client_id]:
                admin.disable_client(store, client_id)
            case ["delete", client_id]:
                admin.delete_client(store, client_id)
            case ["retire"]:
                for record in store.read_keys().keys:
                    remove_key(store, record.kid)
        print("done", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
