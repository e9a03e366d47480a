"""A database under two names: what shows is refused at the start, what does not stops the name that was used before."""

from __future__ import annotations

import os
import shutil
from contextlib import closing

import pytest

from helpers.builders import is_dead, issued, key_of, log_of, registered
from helpers.changes import end_client
from helpers.mounts import mounted, why_no_mounts
from helpers.processes import Processes
from oauth_mw import ConfigError, OAuthMiddleware, StoreUnavailable, open_store
from oauth_mw.cli import main

pytest.importorskip("fcntl")

mounts = pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())

OPEN = """
import sys
from helpers.changes import end_client
from oauth_mw import ConfigError, StoreUnavailable, open_store
try:
    store = open_store(sys.argv[1], create=True, timeout=1.0)
    print(end_client(store, "tester"))
except (ConfigError, StoreUnavailable) as error:
    print(error)
"""
COMMAND = """
import sys
from oauth_mw.cli import main
main(["--store", sys.argv[1], "client", "disable", "tester"])
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "oauth.db"


@pytest.fixture
def store(path):
    with closing(open_store(f"sqlite:///{path}", create=True, timeout=1.0)) as store:
        store.add_client(registered())
        issued(store)
        yield store


@pytest.fixture
def other(tmp_path):
    return tmp_path / "container" / "oauth.db"


def url_of(path):
    return f"sqlite:///{path}"


# What shows


@pytest.fixture
def linked(store, path, other):
    other.parent.mkdir()
    os.link(path, other)
    return other


@pytest.mark.parametrize("create", [True, False])
def test_a_hard_link_is_refused_by_either_name(store, path, linked, create):
    for name in (path, linked):
        with pytest.raises(ConfigError, match="has a second name"):
            open_store(url_of(name), create=create)


def test_a_middleware_does_not_start_on_a_hard_link(linked):
    with pytest.raises(ConfigError, match="^store: .* has a second name"):
        OAuthMiddleware(lambda environ, start_response: [], store=url_of(linked))


def test_a_store_is_opened_again_when_the_link_is_removed(store, path, linked):
    linked.unlink()

    with closing(open_store(url_of(path))) as again:
        assert end_client(again, "tester")


def test_nothing_is_put_beside_the_second_name(linked):
    with pytest.raises(ConfigError):
        open_store(url_of(linked), create=True)

    assert os.listdir(linked.parent) == [linked.name]


def test_a_command_by_a_second_name_fails_and_revokes_nothing(store, linked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--store", url_of(linked), "client", "disable", "tester"])

    assert ended.value.code == 2
    assert "second name" in capsys.readouterr().err
    assert not is_dead(store, key_of())


@mounts
@pytest.mark.parametrize("name", ["oauth.db", "a b\\134.db"])
def test_a_database_that_is_mounted_by_itself_is_refused(store, path, other, name):
    other = other.with_name(name)

    said = mounted(path, other, OPEN, url_of(other))

    assert said == f"store: {other} is mounted by itself: mount the folder that it lies in, not the file\n"
    assert not is_dead(store, key_of())


@mounts
def test_a_link_to_a_database_that_is_mounted_by_itself_is_refused(store, path, other, tmp_path):
    (tmp_path / "link.db").symlink_to(other)

    assert "mount the folder" in mounted(path, other, OPEN, url_of(tmp_path / "link.db"))


@mounts
def test_a_mounted_folder_is_the_same_store(store, path, other):
    store.find_client("tester")
    before = store.generation()

    assert mounted(path.parent, other.parent, OPEN, url_of(other)) == "True\n"

    assert store.generation() != before
    assert is_dead(store, key_of())


# What does not show


@pytest.fixture
def taken_over(store, path, other):
    """The store, used before and after another name of its database was."""
    log_of(store)
    store.close()  # while a worker has it open, no other name is opened
    mounted(path, other, OPEN, url_of(other), hidden=True)
    return store


CALLS = {
    "look": lambda store: store.verify(),
    "issue": lambda store: issued(store, number=1),
    "revoke": lambda store: store.revoke_token(key_of()),
    "register": lambda store: store.add_client(registered("new")),
}


@mounts
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_name_that_was_used_before_stops_and_says_what_to_do(taken_over, call):
    with pytest.raises(StoreUnavailable):
        call(taken_over)

    for again in CALLS.values():
        with pytest.raises(
            StoreUnavailable, match="opened under another name meanwhile .* mount its folder, .* and restart"
        ):
            again(taken_over)


@mounts
def test_a_start_takes_the_file_back_for_all_workers_of_its_name(taken_over):
    with pytest.raises(StoreUnavailable):
        taken_over.verify()

    open_store(taken_over.url).close()

    taken_over.verify()
    assert taken_over.add_client(registered("new"))


LOOK = """
store.verify()
print("ready", flush=True)
for line in sys.stdin:
    store.verify()
    print("serves", flush=True)
"""


@mounts
@pytest.mark.slow
def test_no_other_name_is_opened_while_a_worker_has_the_database_open(store, path, other):
    """What the other name committed would lie in a -wal file that no process of this name ever reads."""
    issued(store, number=1)
    store.close()
    with Processes(store.url) as start:
        workers = [start(LOOK) for _ in range(2)]
        assert [worker.says() for worker in workers] == ["ready", "ready"]

        said = mounted(path, other, OPEN, url_of(other), hidden=True)

        assert said.startswith(f"{other} is in use, perhaps under another name") and "mount its folder" in said
        assert [worker.answers() for worker in workers] == ["serves"] * 2
    assert not is_dead(store, key_of())


@mounts
def test_a_command_by_another_name_then_fails(store, path, other):
    log_of(store)

    with pytest.raises(AssertionError, match="is in use, perhaps under another name"):
        mounted(path, other, COMMAND, url_of(other), hidden=True)

    assert not is_dead(store, key_of())


@mounts
def test_what_another_name_revoked_while_nothing_served_is_kept(store, path, other):
    issued(store, number=1)
    store.close()

    assert mounted(path, other, OPEN, url_of(other), hidden=True) == "True\n"

    with closing(open_store(url_of(path))) as again:
        assert is_dead(again, key_of())


REVOKE = """
import os, sys
from helpers.changes import end_client
from oauth_mw import open_store
store = open_store(sys.argv[1])
print(end_client(store, "tester"), flush=True)
os._exit(0)
"""


@mounts
def test_what_another_name_acknowledged_lies_in_the_file_that_all_names_share(store, path, other):
    """A process of this name may have the database open at the end of the other, which then writes nothing back."""
    store.close()

    assert mounted(path, other, REVOKE, url_of(other), hidden=True) == "True\n"

    with closing(open_store(url_of(path))) as again:
        assert is_dead(again, key_of())


@mounts
def test_a_copy_opens_where_mounts_do_not_show(store, path, other):
    store.close()
    other.parent.mkdir()
    shutil.copy(path, other)

    assert mounted(other, other.with_name("again.db"), OPEN, url_of(other), hidden=True) == "True\n"


@mounts
def test_a_restored_backup_opens_where_mounts_do_not_show(store, path, tmp_path):
    store.close()
    shutil.copy(path, tmp_path / "backup")
    with closing(open_store(url_of(path))) as again:
        end_client(again, "tester")
    path.unlink()
    shutil.copy(tmp_path / "backup", path)

    assert mounted(tmp_path / "backup", tmp_path / "x", OPEN, url_of(path), hidden=True) == "True\n"
