"""The one suite that every store passes (DESIGN: clients, tokens, revocation log)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import HandClock

from oauth_mw.credentials import hash_secret
from oauth_mw.model import Client, Store, TokenRecord

CLIENT = Client("reader", "Reader", ("read", "write"), attributes={"tenant": "acme"}, secrets=(hash_secret("x" * 20),))


@pytest.fixture
def known(store: Store) -> Store:
    """The store with the client ``reader`` in it."""
    assert store.add_client(CLIENT)
    return store


def key(expires_at: int, number: int = 1) -> bytes:
    return expires_at.to_bytes(4) + number.to_bytes(28)


def token(store: Store) -> TokenRecord:
    """A token issued now: with the log's position as read with its client."""
    client = store.find_client("reader")
    assert client is not None
    return TokenRecord("reader", "read", 1_800_000_000, client.position, {"tenant": "acme"})


LIVE = key(1_800_003_600)


def test_a_client_comes_back_as_it_was_written(known):
    assert known.find_client("reader") == replace(CLIENT, position=0)


def test_an_unknown_client_is_none(known):
    assert known.find_client("Reader") is None


def test_an_id_is_given_once(known):
    assert known.add_client(CLIENT) is False


def test_a_deleted_id_is_never_used_again(known):
    known.end_client("reader", delete=True)

    assert (known.find_client("reader"), known.add_client(CLIENT)) == (None, False)


def test_a_change_is_written_and_returned(known):
    changed = known.update_client("reader", lambda client: replace(client, scopes=("read",), lifetime=60))

    assert changed == known.find_client("reader")
    assert changed is not None and (changed.scopes, changed.lifetime) == (("read",), 60)


def test_a_change_that_raises_changes_nothing(known):
    def refuse(client: Client) -> Client:
        raise ValueError("no")

    with pytest.raises(ValueError):
        known.update_client("reader", refuse)

    assert known.find_client("reader") == replace(CLIENT, position=0)


def test_an_unknown_client_cannot_be_changed_or_ended(known):
    assert (known.update_client("nobody", lambda client: client), known.end_client("nobody")) == (None, False)


def test_secrets_are_added_and_removed_one_by_one(known):
    second = hash_secret("y" * 20, label="2027")
    known.add_secret("reader", second)

    assert known.remove_secret("reader", CLIENT.secrets[0].secret_id) is True
    assert known.find_client("reader").secrets == (second,)


def test_a_removed_secret_cannot_be_removed_again(known):
    known.remove_secret("reader", CLIENT.secrets[0].secret_id)

    assert known.remove_secret("reader", CLIENT.secrets[0].secret_id) is False


def test_removing_a_secret_ends_tokens_only_when_asked(known):
    second = hash_secret("y" * 20)
    known.add_secret("reader", second)
    known.add_token(LIVE, token(known))

    known.remove_secret("reader", second.secret_id)
    before = known.find_token(LIVE).revoked
    known.remove_secret("reader", CLIENT.secrets[0].secret_id, and_tokens=True)

    assert (before, known.find_token(LIVE).revoked) == (False, True)


def test_a_token_comes_back_as_it_was_written(known):
    written = token(known)
    known.add_token(LIVE, written)

    assert known.find_token(LIVE) == written


def test_a_token_is_revoked_once(known):
    known.add_token(LIVE, token(known))

    assert [known.revoke_token(LIVE), known.revoke_token(LIVE)] == [True, False]


def test_an_unknown_token_is_not_revoked(known):
    assert known.revoke_token(LIVE) is False


def test_a_revoked_token_keeps_its_row(known):
    known.add_token(LIVE, token(known))
    known.revoke_token(LIVE)

    assert known.find_token(LIVE).revoked is True


@pytest.mark.parametrize("end", [{}, {"disable": True}, {"delete": True}], ids=["all tokens", "disable", "delete"])
def test_ending_a_client_ends_what_was_issued_before(known, end):
    known.add_token(LIVE, token(known))

    known.end_client("reader", **end)

    assert known.find_token(LIVE).revoked is True


def test_what_is_issued_after_an_end_lives_also_within_the_same_second(known):
    known.end_client("reader")

    known.add_token(LIVE, token(known))

    assert known.find_token(LIVE).revoked is False


def test_a_token_whose_request_was_under_way_is_dead(known):
    under_way = token(known)

    known.end_client("reader")
    known.add_token(LIVE, under_way)

    assert known.find_token(LIVE).revoked is True


def test_enabling_revives_no_token(known):
    known.add_token(LIVE, token(known))
    known.end_client("reader", disable=True)

    known.update_client("reader", lambda client: replace(client, enabled=True))

    assert (known.find_client("reader").enabled, known.find_token(LIVE).revoked) == (True, True)


def test_the_log_tells_in_order_what_ended(known):
    known.add_token(LIVE, token(known))
    start = known.read_log("", 0)

    known.revoke_token(LIVE)
    known.end_client("reader")
    page = known.read_log(start.store_id, start.position)

    assert [(event.client_id, event.key) for event in page.events] == [("reader", LIVE), ("reader", None)]


def test_a_second_look_tells_only_what_is_new(known):
    known.end_client("reader")
    seen = known.read_log(known.read_log("", 0).store_id, 0)

    known.end_client("reader")

    assert len(known.read_log(seen.store_id, seen.position).events) == 1


@pytest.mark.parametrize("move", [0, -7200, 3600], ids=["standing", "back", "ahead"])
def test_positions_only_grow_whatever_the_clock_does(known, clock: HandClock, move):
    known.end_client("reader")
    first = known.read_log("", 0).position

    clock.move(move)
    known.end_client("reader")

    assert known.read_log("", 0).position > first


def test_a_position_is_not_below_the_clock_in_microseconds(known, clock: HandClock):
    known.end_client("reader")

    assert known.read_log("", 0).position >= int(clock() * 1_000_000)


def test_a_follower_of_another_store_knows_nothing(known):
    assert known.read_log("another", 0).complete is False


def test_the_generation_moves_with_every_end(known):
    known.add_token(LIVE, token(known))
    seen = [known.generation()]

    known.revoke_token(LIVE)
    seen.append(known.generation())
    known.end_client("reader")
    seen.append(known.generation())

    assert len(set(seen)) == 3


def test_a_sweep_takes_the_oldest_expired_rows_within_its_limit(known):
    for number in range(5):
        known.add_token(key(1_000 + number, number), token(known))
    known.add_token(LIVE, token(known))

    assert [known.sweep(1_004, 3), known.sweep(1_004, 3), known.sweep(1_004, 3)] == [3, 1, 0]
    assert known.count_tokens() == 2


def test_expired_rows_are_counted(known):
    known.add_token(key(1_000), token(known))
    known.add_token(LIVE, token(known))

    assert (known.count_tokens(), known.count_tokens(before=1_001)) == (2, 1)


def test_clients_are_listed_without_the_deleted(known):
    known.add_client(replace(CLIENT, client_id="other", secrets=()))
    known.end_client("reader", delete=True)

    assert [client.client_id for client in known.clients()] == ["other"]
