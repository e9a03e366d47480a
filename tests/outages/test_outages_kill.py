"""What was acknowledged before a worker or the engine was killed is still there afterwards."""

from __future__ import annotations

import os
import signal
from base64 import urlsafe_b64decode
from contextlib import contextmanager

import pytest
from faults import READS, WRITES, killed, on_servers
from service import DONE, REFUSED

from helpers.jwts import FORMS
from helpers.processes import Processes
from oauth_mw import AdminError, admin
from oauth_mw.tokens import jwt
from oauth_mw.tokens.jws import is_compact, parse_object
from oauth_mw.tokens.opaque import storage_key

pytestmark = pytest.mark.slow

TOKENS = 24
ENOUGH = 20

# Prints after each call what was acknowledged.
WORKER = """
from oauth_mw import StoreUnavailable, admin
sys.excepthook = lambda kind, error, trace: issubclass(kind, StoreUnavailable) or sys.__excepthook__(kind, error, trace)
CHANGES = {
    "renamed": lambda client_id: admin.update_client(store, client_id, name="renamed"),
    "disabled": lambda client_id: admin.disable_client(store, client_id),
    "deleted": lambda client_id: admin.delete_client(store, client_id),
    "given": lambda client_id: admin.add_secret(store, client_id),
}
for number, key in enumerate(sys.stdin.readline().split()):
    key, position = key.split("/")
    if position:
        store.revoke_log_only("tester", bytes.fromhex(key), int(position))
    else:
        store.revoke_token(bytes.fromhex(key))
    print("revoked", key, flush=True)
    client_id = f"client-{number}"
    admin.add_client(store, "new", client_id=client_id)
    print("registered", client_id, flush=True)
    said = list(CHANGES)[number % 4]
    CHANGES[said](client_id)
    print(said, client_id, flush=True)
"""


def is_taken(store, client_id):
    try:
        admin.add_client(store, "other", client_id=client_id)
    except AdminError:
        return True
    return False


TRUTHS = {
    "registered": is_taken,
    "renamed": lambda store, client_id: store.find_client(client_id).name == "renamed",
    "disabled": lambda store, client_id: not store.find_client(client_id).enabled,
    "deleted": lambda store, client_id: store.find_client(client_id) is None,
    "given": lambda store, client_id: len(store.find_client(client_id).secrets) == 2,
}


@contextmanager
def worker_killed(site, worker):
    os.kill(worker.pid, signal.SIGKILL)
    yield


def engine_killed(site, worker):
    return killed(site)


# Each engine is killed, and loses a worker, with revocations of both forms of tokens.
KILLS = [
    ("sqlite", worker_killed, "opaque", False),
    ("postgresql", engine_killed, "opaque", False),
    ("redis", engine_killed, "jwt", False),
    ("postgresql", engine_killed, "jwt", True),
    ("redis", engine_killed, "opaque", True),
    ("postgresql", worker_killed, "jwt", True),
    ("redis", worker_killed, "opaque", True),
]


def cases():
    for engine, kill, form, slow in KILLS:
        (marked,) = on_servers(engine, slow=slow)
        yield pytest.param(engine, kill, FORMS[form], id=f"{engine}-{kill.__name__}-{form}", marks=marked.marks)


def named(token):
    """Its storage key, and for a JWT its position."""
    if not is_compact(token):
        return f"{storage_key(token).hex()}/"
    members = parse_object(urlsafe_b64decode(token.split(".")[1] + "=="))
    return f"{jwt.storage_key(members['exp'], members['jti']).hex()}/{members[jwt.POSITION]}"


@pytest.mark.parametrize(("engine", "kill", "form"), [*cases()])
def test_what_was_acknowledged_outlives_what_acknowledged_it(site, service, kill):
    assert [service.issue() for _ in range(TOKENS)] == [DONE] * TOKENS
    names = {named(token): token for token in service.issued[-TOKENS:]}
    tokens = {name.partition("/")[0]: token for name, token in names.items()}
    assert {service.check(token) for token in tokens.values()} == {DONE}
    with Processes(site.url) as start:
        worker = start(WORKER)
        worker.hears(" ".join(names))
        said = [worker.says() for _ in range(ENOUGH)]
        with kill(site, worker):
            while line := worker.says():
                said.append(line)
        service.later()
        false = [(what, name) for what, name in map(str.split, said) if not is_true(service, tokens, what, name)]

    assert false == []
    assert service.ask_all() == dict.fromkeys(READS | WRITES, DONE)


def is_true(service, tokens, what, name):
    if what == "revoked":
        return service.check(tokens[name]) == REFUSED
    return TRUTHS[what](service.store, name)
