"""What root makes belongs to the owner of the folder, so that the service can open it."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import struct
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic

import pytest

from helpers.processes import exit_code_of, forked
from helpers.support import SECRET, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, StoreUnavailable, admin, open_store
from oauth_mw.stores.sql.sqlite.contact import dialling

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def service():
    return pwd.getpwnam("nobody")


@pytest.fixture
def folder(service):
    """Where the service keeps its data. It may not pass through the folders of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, service.pw_uid, service.pw_gid)
        yield Path(folder)


@pytest.fixture
def filled(cli, folder, tmp_path):
    """What root typed first."""
    (tmp_path / "secret").write_text(SECRET)
    url = f"sqlite:///{folder}/oauth.db"
    answer = cli("client", "add", "tester", "--id", "tester", "--secret-file", "secret", store=url)
    assert answer.stderr.splitlines()[0] == f"created {url}"
    assert "belongs to root" not in answer.stderr
    return url


def test_files_that_root_makes_belong_to_the_owner_of_their_folder(cli, filled, folder, service):
    cli("store", "copy", filled, f"sqlite:///{folder}/copy.db", store=None)

    owners = {each.name: (each.stat().st_uid, each.stat().st_gid) for each in folder.iterdir()}
    assert {"oauth.db", "oauth.db-oauth_mw", "copy.db"} <= owners.keys()
    assert set(owners.values()) == {(service.pw_uid, service.pw_gid)}
    assert (folder / "oauth.db").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def as_service(service):
    """Call it to do work in a child process of the service's user; it returns the exit code."""

    def run(work):
        def child():
            os.setgroups([])
            os.setgid(service.pw_gid)
            os.setuid(service.pw_uid)
            return work()

        return exit_code_of(forked(child))

    return run


def test_the_service_works_on_a_store_that_root_made(filled, as_service):
    def work():
        app = CheckedApp(OAuthMiddleware(echo, store=filled))
        return app.get("/", headers=bearer(issue(app)), status=200).status_int == 200

    assert as_service(work) == 0


def test_a_database_of_root_in_the_folder_of_another_user_is_refused(folder):
    """That user may have renamed a file of root to it."""
    (folder / "oauth.db").touch(0o600)

    with pytest.raises(ConfigError, match="belongs to root, its folder to user .* give the database"):
        open_store(f"sqlite:///{folder}/oauth.db", create=True)

    assert ((folder / "oauth.db").stat().st_uid, os.listdir(folder)) == (0, ["oauth.db"])


PLANTS = {
    "a hard link": os.link,
    "renamed": lambda victim, planted: shutil.copy(victim, victim.with_name("x")) and os.rename(victim, planted),
    "a link": lambda victim, planted: planted.symlink_to(victim),
}


@pytest.fixture
def victim():
    """A file of root, on the file system of the service's folder: only there can it be linked and renamed."""
    with tempfile.TemporaryDirectory() as own:
        victim = Path(own, "victim")
        victim.write_bytes(b"precious" * 1024)
        yield victim


SUFFIXES = ["-oauth_mw", "-wal", "-shm", "-journal"]


@pytest.mark.parametrize(
    ("plant", "suffix", "mode"),
    [*((plant, "-wal", 0o600) for plant in PLANTS), *(("renamed", each, 0o666) for each in SUFFIXES)],
)
def test_root_writes_into_nothing_that_the_service_planted(cli, filled, folder, victim, suffix, plant, mode):
    planted, before = folder / f"oauth.db{suffix}", victim.read_bytes()
    planted.unlink(missing_ok=True)
    (folder / "oauth.db").chmod(mode)
    PLANTS[plant](victim, planted)

    answer = cli("client", "disable", "tester", store=filled)

    assert answer.exit_code != 0 and str(planted) in answer.stderr
    assert planted.read_bytes() == before


@pytest.fixture
def link(folder, service):
    """Call it to place a link of the service; it returns the path of the link."""

    def link(name, target):
        (folder / name).symlink_to(target)
        os.chown(folder / name, service.pw_uid, -1, follow_symlinks=False)
        return folder / name

    return link


def test_root_follows_no_link_of_the_service_to_a_database_of_root(cli, link, tmp_path):
    url = f"sqlite:///{tmp_path}/oauth.db"
    cli("client", "add", "tester", "--id", "tester", store=url)

    data, way = link("data", tmp_path), tmp_path / "way"
    way.symlink_to(data)

    for path in (link("oauth.db", tmp_path / "oauth.db"), data / "oauth.db", way / "oauth.db"):
        answer = cli("client", "disable", "tester", store=f"sqlite:///{path}")
        assert answer.exit_code != 0 and "is a link of user" in answer.stderr


def test_root_makes_no_database_where_a_link_of_the_service_leads(cli, link, tmp_path):
    answer = cli("client", "add", "tester", store=f"sqlite:///{link('data', tmp_path)}/oauth.db")

    assert answer.exit_code != 0 and "is a link of user" in answer.stderr
    assert not (tmp_path / "oauth.db").exists()


def test_a_link_in_the_place_of_the_database_is_not_given_away(folder, tmp_path):
    (tmp_path / "theirs").write_text("")
    (folder / "oauth.db").symlink_to(tmp_path / "theirs")

    store = open_store(f"sqlite:///{folder}/oauth.db", create=True)
    admin.add_client(store, "x")
    store.close()

    assert (tmp_path / "theirs").stat().st_uid == 0


@pytest.fixture
def plant(folder, service):
    """Call it to place a valid rollback journal of the service. SQLite deletes the file ``named`` by it."""

    def plant(named=None):
        database, journal = folder / "oauth.db", folder / "oauth.db-journal"
        magic, page = bytes.fromhex("d9d505f920a163d7"), 4096
        header = struct.pack(">8s5I", magic, 0, 7, database.stat().st_size // page, 512, page).ljust(512, b"\0")
        name = os.fsencode(named or "")
        end = struct.pack(">I", 0x40000000 // page + 1) + name + struct.pack(">II8s", len(name), sum(name), magic)
        journal.write_bytes(header + end if named else header)
        journal.chmod(0o600)
        os.chown(journal, service.pw_uid, service.pw_gid)
        return journal

    return plant


def shared_with_a_group(folder, service):
    for path, mode in ((folder, 0o770), (folder / "oauth.db", 0o660), (folder / "oauth.db-oauth_mw", 0o660)):
        os.chown(path, 0, service.pw_gid)
        path.chmod(mode)


@pytest.mark.parametrize("share", [lambda folder, service: None, shared_with_a_group], ids=["service", "group"])
def test_root_follows_no_journal_of_another_user(cli, filled, folder, service, victim, plant, share):
    share(folder, service)
    planted = plant(victim)

    answer = cli("client", "disable", "tester", store=filled)

    assert answer.exit_code != 0 and f"{planted} may have been written by another user" in answer.stderr
    assert victim.exists()


@pytest.mark.parametrize("ours", [True, False], ids=["file of root", "file of the service"])
def test_a_journal_that_is_planted_after_the_check_deletes_no_file_of_root(
    filled, folder, service, victim, plant, ours
):
    named = victim if ours else folder / "theirs"
    named.write_text("not empty")
    planted = plant(named)

    with suppress(sqlite3.Error):
        dialling(str(folder / "oauth.db"), 1.0)(monotonic() + 1).close()

    assert (named.exists(), planted.exists()) == (ours, False)


def test_root_works_again_when_the_service_has_applied_the_journal_of_a_crash(cli, filled, plant, as_service):
    planted = plant()
    assert cli("client", "list", store=filled).exit_code != 0

    assert as_service(lambda: open_store(filled).find_client("tester") is not None) == 0

    assert not planted.exists()
    assert cli("client", "list", store=filled).exit_code == 0


def test_a_command_of_root_uses_no_rollback_journal_in_the_folder_of_the_service(cli, filled, folder):
    """As after a restore from a dump."""
    with closing(sqlite3.connect(folder / "oauth.db")) as database:
        database.execute("PRAGMA journal_mode=DELETE")

    assert cli("client", "list", store=filled).exit_code == 0

    with closing(sqlite3.connect(folder / "oauth.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_worker_of_root_survives_that_the_service_removes_the_database(filled, folder):
    with closing(open_store(filled)) as store:
        with store.engine.reading():
            (folder / "oauth.db").unlink()
            with pytest.raises(StoreUnavailable), store.engine.reading():
                pass


def test_root_makes_the_counter_where_the_service_writes_by_a_group(cli, filled, folder, service):
    """The group of the database is another one."""
    (folder / "oauth.db-oauth_mw").unlink()
    os.chown(folder, 0, 12345)
    folder.chmod(0o770)

    assert cli("client", "disable", "tester", store=filled).exit_code == 0

    assert (folder / "oauth.db-oauth_mw").stat().st_uid == service.pw_uid
