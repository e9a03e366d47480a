"""What root makes belongs to the owner of the folder, so that the service can open it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import pytest

from helpers.processes import exit_code_of, forked
from helpers.support import SECRET, bearer, echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import ConfigError, OAuthMiddleware, admin, open_store

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
    assert answer.stderr == f"created {url}\n"
    return url


def test_files_that_root_makes_belong_to_the_owner_of_their_folder(cli, filled, folder, service):
    cli("store", "copy", filled, f"sqlite:///{folder}/copy.db", store=None)

    owners = {each.name: (each.stat().st_uid, each.stat().st_gid) for each in folder.iterdir()}
    assert {"oauth.db", "oauth.db-oauth_mw", "copy.db"} <= owners.keys()
    assert set(owners.values()) == {(service.pw_uid, service.pw_gid)}
    assert (folder / "oauth.db").stat().st_mode & 0o777 == 0o600


def test_the_service_works_on_a_store_that_root_made(filled, service):
    def work():
        os.setgroups([])
        os.setgid(service.pw_gid)
        os.setuid(service.pw_uid)
        app = CheckedApp(OAuthMiddleware(echo, store=filled))
        return app.get("/", headers=bearer(issue(app)), status=200).status_int == 200

    assert exit_code_of(forked(work)) == 0


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
def victim(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious" * 1024)
    return victim


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


def test_root_follows_no_link_of_the_service_to_a_database_of_root(cli, folder, tmp_path, service):
    url = f"sqlite:///{tmp_path}/theirs.db"
    cli("client", "add", "tester", "--id", "tester", store=url)
    (folder / "oauth.db").symlink_to(tmp_path / "theirs.db")
    os.chown(folder / "oauth.db", service.pw_uid, -1, follow_symlinks=False)

    answer = cli("client", "disable", "tester", store=f"sqlite:///{folder}/oauth.db")

    assert answer.exit_code != 0 and "is a link of user" in answer.stderr


def test_a_link_in_the_place_of_the_database_is_not_given_away(folder, tmp_path):
    (tmp_path / "theirs").write_text("")
    (folder / "oauth.db").symlink_to(tmp_path / "theirs")

    store = open_store(f"sqlite:///{folder}/oauth.db", create=True)
    admin.add_client(store, "x")
    store.close()

    assert (tmp_path / "theirs").stat().st_uid == 0
