"""Register the confidential client-credentials applications of django-oauth-toolkit in a store of oauth_mw.

    DATABASE=site.db OAUTH_MW_STORE=sqlite:///oauth.db python move_clients.py > new-secrets.txt

Each keeps its id and gets all scopes of the site. A secret that is stored as a hash cannot be moved: that client gets a
new one, which is printed. What is there already stays as it is, so the program can be run again.
"""

from __future__ import annotations

import os
import sys

import before  # noqa: F401  # the settings
from django.contrib.auth.hashers import identify_hasher
from oauth2_provider.models import get_application_model
from oauth2_provider.settings import oauth2_settings

from oauth_mw import AdminError, admin, open_store


def in_clear_text(secret: str) -> str | None:
    try:
        identify_hasher(secret)
    except ValueError:
        return secret
    return None


Application = get_application_model()
store = open_store(os.environ.get("OAUTH_MW_STORE", "sqlite:///oauth.db"), create=True)
there = {client.client_id for client in admin.list_clients(store)}
machines = Application.objects.filter(
    client_type=Application.CLIENT_CONFIDENTIAL, authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS
)
for old in machines.exclude(client_id__in=there).order_by("client_id"):
    secret, scope = in_clear_text(old.client_secret), " ".join(oauth2_settings.SCOPES)
    try:
        new = admin.add_client(store, old.name or old.client_id, client_id=old.client_id, secret=secret, scope=scope)
        print(f"moved {old.client_id}" if secret else f"moved {old.client_id} with a new secret: {new.secret}")
    except AdminError as error:
        print(f"not moved {old.client_id}: {error}", file=sys.stderr)
