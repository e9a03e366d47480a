"""The programs of the pages about stores run on every engine."""

from __future__ import annotations

import pytest

from helpers.pages import fence, program, read

KINDS = ["sqlite", "postgresql", "redis"]


@pytest.mark.parametrize("store_kind", KINDS)
def test_a_second_worker_refuses_a_token_that_the_first_revoked(store_url, capsys):
    program("examples/machines/two_workers.py")["main"](store_url)

    assert "refused by the second, after" in capsys.readouterr().out


@pytest.mark.parametrize("store_kind", KINDS)
def test_tokens_stay_valid_on_the_store_to_which_they_were_copied(store_url, tmp_path, capsys):
    program("examples/moving/move.py")["main"](f"sqlite:///{tmp_path}/old.db", store_url)

    assert capsys.readouterr().out.splitlines()[-1] == "copied once more: 200"


@pytest.mark.parametrize("store_kind", ["sqlite", "postgresql"])
def test_alembic_leaves_our_tables_alone(store_url, capsys):
    program("examples/postgresql/alembic_changes.py")["main"](store_url)
    proposed = capsys.readouterr().out

    assert "remove_table oauth_mw_clients" in proposed
    assert proposed.endswith("with include_name:\n  add_table orders\n")


def test_the_page_shows_what_alembic_is_given():
    assert fence("examples/postgresql/README.md", "python") in read("examples/postgresql/alembic_changes.py")


@pytest.mark.parametrize("store_kind", ["redis"])
def test_a_redis_that_may_lose_revocations_is_known(store_url, capsys):
    program("examples/redis/durable.py")["main"](store_url)

    assert "appendonly" in capsys.readouterr().out
