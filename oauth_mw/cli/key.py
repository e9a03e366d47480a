"""``oauth-mw key``: list, rotate, import, retire and export signing keys."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

import click

from .. import admin
from ..admin import KeyStatus
from ..errors import AdminError
from ..keys import JWKS_MAX_AGE, MAX_PEM_BYTES, lead_seconds
from ..protocols import Store
from .groups import Group, Verbatim
from .tables import columns, table
from .target import Target
from .terminal import Output, coloured, confirm, instant, on_store, on_target, printable, read_credential, yes_option

now_option = click.option(
    "--now",
    "at_once",
    is_flag=True,
    help="Sign at once, for emergencies. Services that cache the key set may refuse its tokens"
    f" for up to {JWKS_MAX_AGE} seconds.",
)
password_option = click.option(
    "--password-file", type=click.File("rb"), metavar="PATH", help="Read the PEM's password from this file; - is stdin."
)


def _for_new(target: Target, algorithm: str | None) -> dict[str, Any]:
    """The arguments for a new key. ``AdminError`` is raised if it would not sign, or if workers would replace it."""
    settings = target.settings()
    if settings.signing_key_files:
        raise AdminError("signing_key_files is set: the keys in the store do not sign")
    configured = settings.signing_algorithm if target.config else None
    if configured and algorithm not in (None, configured):
        raise AdminError(f"signing_algorithm is {configured}: workers would make a key for that again")
    return {
        "algorithm": algorithm or configured,
        "secret": settings.key_encryption_secret,
        "lead": lead_seconds(settings.revocation_lag_seconds),
    }


def _view(key: KeyStatus) -> dict[str, object]:
    return {**asdict(key), "needed_until": key.needed_until or None}


def _private(key: KeyStatus) -> str:
    return "encrypted" if key.encrypted else "unencrypted"


def _new(key: KeyStatus, store: Store, how: dict[str, Any]) -> Output:
    for warning in admin.key_warnings(store, secret=how["secret"]):
        click.echo(coloured(f"warning: {warning}"), err=True)
    pairs = [("kid", key.kid), ("algorithm", key.algorithm), ("state", key.state)]
    return Output(
        _view(key), columns([*pairs, ("signs from", instant(key.signs_from)), ("private key", _private(key))])
    )


@click.group(cls=Group)
def key() -> None:
    """List, rotate, import, retire and export signing keys.

    Private keys are encrypted with key_encryption_secret of the ini (--config), else with
    OAUTH_MW_KEY_ENCRYPTION_SECRET. Workers make the first key automatically, and further ones if
    signing_key_lifetime is set.
    """


@key.command("list")
@on_store
def list_(store: Store) -> Output:
    """List all keys: which one signs, which is next, which still verify."""
    keys = admin.list_keys(store)
    heads, rows = ["KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS_FROM", "NEEDED_UNTIL", "PRIVATE"], []
    for each in keys:
        times = (instant(time) for time in (each.created_at, each.signs_from, each.needed_until or None))
        rows.append([each.kid, each.algorithm, each.state, *times, _private(each)])
    return Output([_view(each) for each in keys], table(heads, rows))


@key.command("rotate")
@click.option("--algorithm", metavar="NAME", help="ES256, EdDSA or RS256; without an ini, that of the last key.")
@now_option
@on_target
def rotate(target: Target, algorithm: str | None, at_once: bool) -> Output:
    """Make the next key. It signs once all services can have fetched it. All tokens stay valid.

    The previous key verifies until its last token has expired. To change key_encryption_secret, rotate with the new
    one, then restart the workers with it.
    """
    with target.store() as store:
        how = _for_new(target, algorithm)
        return _new(admin.rotate_key(store, at_once=at_once, **how), store, how)


@key.command("import")
@click.argument("file", metavar="PEM", type=click.File("rb"))
@password_option
@now_option
@on_target
def import_(target: Target, file: BinaryIO, password_file: BinaryIO | None, at_once: bool) -> Output:
    """Make a private key from a PEM file (- is stdin) the next key."""
    if file is password_file:
        raise click.UsageError("Both the PEM and its password cannot come from standard input.")
    # Latin-1 decodes any bytes; the PEM parser refuses those that no PEM contains.
    pem = file.read(MAX_PEM_BYTES).decode("latin-1")
    if password_file is None and "ENCRYPTED" in pem:
        if file is sys.stdin.buffer or not sys.stdin.isatty():
            raise AdminError(
                "the PEM is encrypted: give its password by --password-file, or at the prompt of a terminal"
            )
        password_file = sys.stdin.buffer
    password = read_credential(password_file, "Password", encoding="utf-8") if password_file else None
    with target.store() as store:
        how = _for_new(target, None)
        return _new(admin.import_key(store, pem, password=password, at_once=at_once, **how), store, how)


@key.command("retire", cls=Verbatim, context_settings=Verbatim.SETTINGS)
@click.argument("kid", metavar="KEY", callback=printable)
@yes_option
@on_target
def retire(target: Target, kid: str, yes: bool) -> Output:
    """Remove KEY, and revoke all tokens that it has signed.

    If KEY is the one that signs, a new key is made first and signs at once. Afterwards no worker accepts a token of
    KEY; other services may, until they fetch the key set again.
    """
    with target.store() as store:
        settings = target.settings()
        admin.public_key(store, kid)
        if not yes:
            confirm(f"Remove {kid} for good, and revoke all tokens that it has signed?")
        algorithm = settings.signing_algorithm if target.config else None
        new = admin.retire_key(store, kid, algorithm=algorithm, secret=settings.key_encryption_secret)
    text = f"retired {kid}; all tokens that it has signed are revoked"
    text += f"\n{new.kid} signs in its place" if new else ""
    return Output({"kid": kid, "retired": True, "new": _view(new) if new else None}, text)


@key.command("export", cls=Verbatim, context_settings=Verbatim.SETTINGS)
@click.argument("kid", metavar="[KEY]", required=False)
@click.option("--private", is_flag=True, help="Write the private key to a file, encrypted with a strong password.")
@click.option("-o", "--output", metavar="FILE", help="With --private: the file to create.")
@password_option
@on_target
def export(
    target: Target, kid: str | None, private: bool, output: str | None, password_file: BinaryIO | None
) -> Output:
    """Print the public key set (JWKS), or KEY alone (JWK)."""
    if private:
        return _export_private(target, kid, output, password_file)
    if output or password_file:
        raise click.UsageError("-o and --password-file need --private.")
    with target.store() as store:
        found = {"keys": admin.public_keys(store)} if kid is None else admin.public_key(store, kid)
    return Output(found, json.dumps(found, indent=2))


def _export_private(target: Target, kid: str | None, output: str | None, password_file: BinaryIO | None) -> Output:
    if kid is None or output is None:
        raise click.UsageError("--private needs KEY and -o FILE.")
    if password_file is None and not sys.stdin.isatty():
        raise click.UsageError("--private needs --password-file, or a terminal to prompt for the password.")
    password = read_credential(password_file or sys.stdin.buffer, "Password", encoding="utf-8", new=True)
    with target.store() as store:
        secret = target.settings().key_encryption_secret
        pem = admin.private_key(store, kid, password=password, secret=secret)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AdminError(f"{output} already exists") from None
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(pem)
    return Output({"kid": kid, "file": os.path.abspath(output)}, f"wrote {output}")
