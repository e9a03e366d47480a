"""``oauth-mw check`` says which files every user of the machine can get at."""

from __future__ import annotations

import os

import pytest

from oauth_mw import admin, open_store
from oauth_mw.keys import keypair

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files have no such permissions")

ISSUER = "issuer = https://auth.example\n"
ALL = "every user of this machine can"


@pytest.fixture
def warnings(printed, folder):
    """The warnings about an ini with these lines that concern what every user can do."""

    def warnings(lines="", store="sqlite:///%(here)s/oauth.db", mode=0o644):
        ini = folder / "app.ini"
        ini.write_text(f"[filter:oauth]\nuse = egg:oauth_mw\nstore = {store}\n{lines}\n")
        ini.chmod(mode)
        return [each for each in printed("check", str(ini), store=None)["warnings"] if ALL in each]

    return warnings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "above" / "etc").mkdir(parents=True, mode=0o755)
    return tmp_path / "above" / "etc"


@pytest.fixture
def made(folder):
    """A store with a private key in the clear, and the files of a service that runs."""
    store = open_store(f"sqlite:///{folder}/oauth.db", create=True)
    admin.rotate_key(store)
    yield folder / "oauth.db"
    store.close()


def test_each_file_of_a_database_that_all_can_read_is_named_and_none_that_is_closed(warnings, made):
    assert warnings() == []
    for suffix in ("", "-wal", "-shm", "-oauth_mw"):
        file = f"{made}{suffix}"
        os.chmod(file, 0o644)
        assert warnings() == [f"store: {ALL} read {file}, and stop all writers by a lock: chmod o-r"]
        os.chmod(file, 0o600)


def test_an_open_database_is_named_for_reading_and_writing(warnings, made):
    made.chmod(0o666)

    read = f"store: {ALL} read {made}, and stop all writers by a lock: chmod o-r"
    assert warnings(ISSUER) == [read, f"store: {ALL} write {made}: chmod o-w"]


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=oct)
def test_a_folder_in_which_all_may_make_files_is_named(warnings, made, folder, mode):
    folder.chmod(mode)

    found = f"{ALL} write the folder {folder}, and so replace"
    assert f"store: {found} {made}: chmod o-w" in warnings()
    assert (f"config: {found} {folder}/app.ini: chmod o-w" in warnings()) == (mode == 0o777)


@pytest.mark.parametrize(("mode", "named"), [(0o777, True), (0o1777, False)])
def test_a_folder_above_is_named_unless_what_is_there_belongs_to_its_owner_alone(warnings, made, folder, mode, named):
    folder.parent.chmod(mode)

    assert [each for each in warnings() if f"the folder {folder.parent}," in each and each.startswith("store")] == [
        f"store: {ALL} write the folder {folder.parent}, and so replace {made}: chmod o-w"
    ] * named


def test_the_folder_of_a_link_counts_and_the_one_that_it_leads_to(warnings, made, folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "link.db").symlink_to(made)
    for open_folder in (elsewhere, folder):
        open_folder.chmod(0o777)
        assert f"the folder {open_folder}," in str(warnings(store=f"sqlite:///{elsewhere}/link.db"))
        open_folder.chmod(0o755)


def test_before_the_store_is_made_its_folder_is_named_and_an_ini_that_all_can_write(warnings, folder):
    assert warnings(mode=0o666) == [f"config: {ALL} write {folder}/app.ini: chmod o-w"]
    folder.chmod(0o777)

    assert f"store: {ALL} write the folder {folder}, and so replace {folder}/oauth.db: chmod o-w" in warnings()


SECRETS = {
    "key_encryption_secret": ("sqlite", lambda url: f"{url}\nkey_encryption_secret = correct horse battery"),
    "a password": ("redis", lambda url: url.replace("redis://", "redis://default:secret@")),
    "a password in the query": ("postgresql", lambda url: f"{url}&password=secret"),
}


@pytest.mark.parametrize(("store_kind", "with_secret"), SECRETS.values(), ids=SECRETS)
def test_an_ini_with_a_secret_that_all_can_read_is_named(warnings, folder, store_url, with_secret):
    store = with_secret(store_url).replace("%", "%%")

    assert warnings(store=store) == [f"config: {ALL} read {folder}/app.ini: chmod o-r"]
    assert warnings(store=store, mode=0o600) == []


def test_a_folder_in_which_all_may_replace_a_key_is_named(warnings, made, folder, tmp_path):
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "a.pem").write_text(keypair.make("ES256").pem())
    (keys / "a.pem").chmod(0o600)
    keys.chmod(0o777)

    found = warnings(f"{ISSUER}signing_key_files = {keys}/a.pem")
    assert found == [f"signing_key_files: {ALL} write the folder {keys}, and so replace {keys}/a.pem: chmod o-w"]
