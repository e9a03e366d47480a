"""A database under two names: what shows is refused at the start, what does not stops the name that was used before."""

from __future__ import annotations

import os
import shutil
from contextlib import closing

import pytest

from helpers.builders import is_dead, issued, key_of, log_of, registered
from helpers.changes import end_client
from helpers.mounts import mounted, why_no_mounts
from oauth_mw import ConfigError, StoreUnavailable, open_store
from oauth_mw.cli import main

pytest.importorskip("fcntl")
pytestmark = pytest.mark.usefixtures("key")

mounts = pytest.mark.skipif(bool(why_no_mounts()), reason=why_no_mounts())

TIMEOUT = 9.0  # a busy machine may be late

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
def other(tmp_path):
    return tmp_path / "container" / "oauth.db"


def url_of(path):
    return f"sqlite:///{path}"


# Names that the file system shows


@pytest.fixture
def linked(store, path, other):
    other.parent.mkdir()
    os.link(path, other)
    return other


@pytest.mark.parametrize("create", [True, False])
def test_a_hard_link_is_refused_by_either_name(path, linked, create):
    for name in (path, linked):
        with pytest.raises(ConfigError, match="has a second name"):
            open_store(url_of(name), create=create)

    assert os.listdir(linked.parent) == [linked.name]


def test_a_store_is_opened_again_when_the_link_is_removed(path, linked):
    linked.unlink()

    with closing(open_store(url_of(path))) as again:
        assert end_client(again, "tester")


def test_a_command_by_a_second_name_fails_and_revokes_nothing(store, linked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--store", url_of(linked), "client", "disable", "tester"])

    assert ended.value.code == 2
    assert "second name" in capsys.readouterr().err
    assert not is_dead(store, key_of())


@mounts
@pytest.mark.parametrize("name", ["oauth.db", pytest.param("a b\\134.db", marks=pytest.mark.slow)])
def test_a_database_that_is_mounted_by_itself_is_refused(store, path, other, name):
    other = other.with_name(name)

    said = mounted(path, other, OPEN, url_of(other))

    assert said == f"store: {other} is mounted by itself: mount the folder that it lies in, not the file\n"
    assert not is_dead(store, key_of())


@mounts
@pytest.mark.slow
def test_a_link_to_a_database_that_is_mounted_by_itself_is_refused(store, path, other, tmp_path):
    (tmp_path / "link.db").symlink_to(other)

    assert "mount the folder" in mounted(path, other, OPEN, url_of(tmp_path / "link.db"))


@pytest.mark.slow
@mounts
def test_a_mounted_folder_is_the_same_store(store, path, other):
    store.find_client("tester")
    before = store.generation()

    assert mounted(path.parent, other.parent, OPEN, url_of(other)) == "True\n"

    assert store.generation() != before
    assert is_dead(store, key_of())


# Names that it does not show


CALLS = [
    lambda store: store.verify(),
    lambda store: issued(store, number=1),
    lambda store: store.revoke_token(key_of()),
    lambda store: store.add_client(registered("new")),
]


@pytest.fixture
def taken_over(store, path, other):
    """Stores that were used before another name of their database was."""
    stores = [open_store(store.url, timeout=TIMEOUT) for _ in CALLS]
    for each in (store, *stores):
        log_of(each)
        each.close()  # while a worker has it open, no other name is opened
    mounted(path, other, OPEN, url_of(other), hidden=True)
    yield stores
    for each in stores:
        each.close()


@pytest.mark.slow
@mounts
def test_the_name_that_was_used_before_stops_until_a_start_takes_the_file_back(taken_over):
    stopped = "opened under another name meanwhile .* mount its folder, .* and restart"
    for call, store in zip(CALLS, taken_over, strict=True):
        with pytest.raises(StoreUnavailable):
            call(store)
        for again in CALLS:
            with pytest.raises(StoreUnavailable, match=stopped):
                again(store)

    open_store(taken_over[0].url).close()

    taken_over[0].verify()
    assert taken_over[0].add_client(registered("new"))


VERIFY = """
store.verify()
print("ready", flush=True)
for line in sys.stdin:
    store.verify()
    print("serves", flush=True)
"""


@mounts
@pytest.mark.slow
def test_no_other_name_is_opened_while_a_worker_has_the_database_open(store, start, path, other):
    """What the other name committed would lie in a -wal file that no process of this name ever reads."""
    store.close()
    workers = [start.fork(VERIFY) for _ in range(2)]
    assert [worker.says() for worker in workers] == ["ready", "ready"]

    with pytest.raises(AssertionError, match=f"{other} is in use, perhaps under another name .* mount its folder"):
        mounted(path, other, COMMAND, url_of(other), hidden=True)

    assert [worker.answers() for worker in workers] == ["serves"] * 2
    assert not is_dead(store, key_of())


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
    """Also if the other process does not close it, as one that is killed, or while this name has it open."""
    store.close()

    assert mounted(path, other, REVOKE, url_of(other), hidden=True) == "True\n"

    with closing(open_store(url_of(path))) as again:
        assert is_dead(again, key_of())


@mounts
@pytest.mark.slow
def test_a_copy_opens_where_mounts_do_not_show(store, path, other):
    store.close()
    other.parent.mkdir()
    shutil.copy(path, other)

    assert mounted(other, other.with_name("again.db"), OPEN, url_of(other), hidden=True) == "True\n"


@mounts
@pytest.mark.slow
def test_a_restored_backup_opens_where_mounts_do_not_show(store, path, tmp_path):
    store.close()
    shutil.copy(path, tmp_path / "backup")
    with closing(open_store(url_of(path))) as again:
        end_client(again, "tester")
    path.unlink()
    shutil.copy(tmp_path / "backup", path)

    assert mounted(tmp_path / "backup", tmp_path / "x", OPEN, url_of(path), hidden=True) == "True\n"


# Moved


def settled_earlier(path, other):
    os.rename(path, other)
    with closing(open_store(url_of(other))) as moved:
        log_of(moved)
    os.rename(other, path)
    with closing(open_store(url_of(path))) as back:
        log_of(back)


@pytest.mark.parametrize("before", [lambda path, other: None, settled_earlier], ids=["new name", "used before"])
def test_a_database_that_is_moved_while_a_worker_has_it_open_is_not_changed_by_its_new_name(
    store, start, path, other, before
):
    """The change would lie in a -wal file that is not moved back."""
    store.close()
    other.parent.mkdir()
    before(path, other)
    worker = start.fork(VERIFY)
    assert worker.says() == "ready"
    os.rename(path, other)

    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="is in use, perhaps under another name"):
            open_store(url_of(other), timeout=0.3)

    os.rename(other, path)
    assert worker.answers() == "serves"


def test_a_database_that_is_moved_without_a_worker_is_changed_by_its_new_name_and_moved_back(store, path, other):
    store.close()
    other.parent.mkdir()
    os.rename(path, other)
    with closing(open_store(url_of(other))) as moved:
        assert end_client(moved, "tester")
    os.rename(other, path)

    with closing(open_store(url_of(path))) as again:
        assert is_dead(again, key_of())
