"""What the registration API returns may end up in a log."""

from __future__ import annotations

from oauth_mw import admin


def test_what_registration_returns_does_not_show_the_secret(store):  # L-02
    made = admin.add_client(store, "x", client_id="own")
    more = admin.add_secret(store, "own")

    assert made.secret not in f"{made!r} {made}"
    assert more.secret not in f"{more!r} {more}"
