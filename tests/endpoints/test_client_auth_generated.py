"""Secrets that the registration makes itself."""

from __future__ import annotations

from oauth_mw import admin


def test_a_generated_secret_is_never_called_weak(store):
    admin.add_client(store, "short", client_id="e", secret="#" * 20, allow_weak_secret=True)

    for _ in range(8):
        new = admin.add_secret(store, "e").record
        admin.revoke_secret(store, "e", new.secret_id)
        assert not new.weak
