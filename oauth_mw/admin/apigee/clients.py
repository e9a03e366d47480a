"""The credentials of Apigee's apps as declared clients: their paths, scopes, attributes and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from ...attributes import check_attributes
from ...compatibility import API_PRODUCTS, APPLICATION_ID, DEVELOPER_EMAIL, ORGANIZATION
from ...credentials import check_client_id, check_secret, hash_secret
from ...errors import AdminError, Faults
from ...limits import MAX_LISTED, NOTHING
from ...model import MAX_SCOPES, SCOPE_TOKEN, Client
from ..declared import DeclaredClient, DeclaredSecret
from ..fields import read_name
from ..imported import MISSING, PROBLEM, marked
from .paths import Grant, united
from .shapes import ACTIVE, APPROVED, App, Credential, Developer, Export

SECRET_ID = "apigee"
_IF_KNOWN = {ORGANIZATION, DEVELOPER_EMAIL}  # attributes that a client need not have


class Found(NamedTuple):
    """One credential of an app.

    :ivar declared: the client; ``None`` if none can be made of it.
    :ivar closed: why it is disabled as it is in Apigee.
    :ivar problems: what cannot be expressed, so that it is disabled.
    :ivar missing: what of it is not in the files: then it is added disabled, or stays as it was imported before.
    """

    client_id: str
    app: str
    declared: DeclaredClient | None
    closed: Sequence[str]
    problems: Sequence[str]
    missing: Sequence[str]


def check_secrets(export: Export, faults: Faults) -> None:
    """Add a fault for each weak secret."""
    for credential in (each for app in export.apps for each in app.credentials):
        with suppress(AdminError):  # it is no secret at all
            if check_secret(credential.secret, credential.key, allow_weak=True):
                faults.add(f"client {credential.key!r}", _refusal(credential))


def _refusal(credential: Credential) -> str:
    try:
        check_secret(credential.secret, credential.key)
    except AdminError as error:
        return str(error)
    return ""


class Clients:
    """Makes clients of credentials, also with weak secrets.

    :param grants: what the products give, by their names.
    :param now: when the clients are made, in Unix seconds.
    """

    def __init__(self, export: Export, grants: Mapping[str, Grant], now: int) -> None:
        self._export = export
        self._grants = grants
        self._now = now

    def found(self) -> list[Found]:
        return [self._found(app, each) for app in self._export.apps for each in app.credentials]

    def _found(self, app: App, credential: Credential) -> Found:
        client_id, problems, missing = credential.key, list[str](), list[str]()
        try:
            check_client_id(client_id)
        except AdminError as error:
            return Found(client_id, app.name, None, (), [f"the key is no client id here: {error}"], ())
        developer = self._export.developers.get(app.developer_id)
        closed = _closed(app, credential, developer)
        if app.developer_id and developer is None:
            missing.append("the developer of the app is not in the files, and may be inactive")
        grants = self._approved(credential, problems, missing)
        client = Client(
            client_id,
            _name(app, client_id, problems),
            scopes=_scopes(credential, grants, problems),
            attributes=MappingProxyType(_attributes(app, developer, grants, problems)),
            allowed_requests=_requests(grants, problems),
            not_after=credential.expires_at,
            created_at=self._now,
        )
        if not credential.secret:
            missing.append("its secret is not in the files: ask for the apps with includeCred=true")
        secrets = self._secrets(credential, problems) if credential.secret else []
        reasons = [*closed, *([PROBLEM] if problems else ()), *([MISSING] if missing else ())]
        client = marked(client, reasons, (each.record.secret_id for each in secrets))
        declared = DeclaredClient(client, not reasons, secrets, only_news=True)
        return Found(client_id, app.name, declared, closed, problems, missing)

    def _approved(self, credential: Credential, problems: list[str], missing: list[str]) -> list[Grant]:
        """What the approved products give, in the order of their names."""
        found = []
        closed = {tie.product for tie in credential.ties if tie.status != APPROVED}
        for name in sorted({tie.product for tie in credential.ties} - closed):
            grant = self._grants.get(name)
            if grant is None:
                missing.append(f"the API product {name!r} is not in the files")
            elif grant.is_here:
                found.append(grant)
                problems += [f"the API product {name!r}: {problem}" for problem in grant.problems]
        return found

    def _secrets(self, credential: Credential, problems: list[str]) -> list[DeclaredSecret]:
        text = credential.secret
        try:
            weak = check_secret(text, credential.key, allow_weak=True)
        except AdminError as error:
            problems.append(f"{error}: give the client another one by `secret add`")
            return []
        made = hash_secret(text, created_at=credential.issued_at or self._now, weak=weak)
        return [DeclaredSecret(made._replace(secret_id=SECRET_ID), text, keeps_end=True)]


def _closed(app: App, credential: Credential, developer: Developer | None) -> list[str]:
    """Why the credential is not accepted in Apigee, or not known to be."""
    found = []
    if not app.developer_id:
        found.append("the app belongs to an AppGroup, and not to a developer")
    elif developer and developer.status != ACTIVE:
        found.append(f"the developer is {developer.status or 'of no status'}")
    if app.status != APPROVED:
        found.append(f"the app is {app.status or 'of no status'}")
    if credential.status != APPROVED:
        found.append(f"the key is {credential.status or 'of no status'}")
    return found


def _name(app: App, client_id: str, problems: list[str]) -> str:
    name = app.name or app.app_id
    try:
        read_name(name)
    except AdminError as error:
        problems.append(f"the name of the app: {error}")
        return client_id[:200]
    return name


def _scopes(credential: Credential, grants: Sequence[Grant], problems: list[str]) -> tuple[str, ...]:
    """Those of the products, or the part of them to which the key is narrowed."""
    found = {scope.strip() for grant in grants for scope in grant.product.scopes} - {""}
    if narrowed := {scope.strip() for scope in credential.scopes} - {""}:
        found &= narrowed
    bad = sorted(scope for scope in found if not SCOPE_TOKEN.fullmatch(scope))
    problems += [f"{scope!r} is not a scope (RFC 6749 §3.3)" for scope in bad]
    if len(found) > MAX_SCOPES:
        problems.append(f"it has {len(found)} scopes, more than {MAX_SCOPES}")
        return ()
    return tuple(sorted(found - {*bad}))


def _requests(grants: Sequence[Grant], problems: list[str]) -> tuple[str, ...]:
    """What the products open together. A client without any may send nothing: an empty list would open all."""
    found = united(rule for grant in grants for rule in grant.rules)
    if len(found) > MAX_LISTED:
        problems.append(
            f"its products open {len(found)} paths, more than {MAX_LISTED}: it has none of them;"
            " choose some by `client update --only`, and enable it"
        )
        return (NOTHING,)
    return tuple(found) or (NOTHING,)


def _attributes(app: App, developer: Developer | None, grants: Sequence[Grant], problems: list[str]) -> dict[str, str]:
    """The attributes of the app, and what ``compatibility = apigee`` answers."""
    ours = {API_PRODUCTS: ",".join(grant.product.name for grant in grants), APPLICATION_ID: app.app_id}
    if developer:
        ours |= {ORGANIZATION: developer.organization, DEVELOPER_EMAIL: developer.email}
    found: dict[str, str] = {}
    for name, value in app.attributes:
        if {**found, **ours}.get(name, value) != value:
            problems.append(f"its attribute {name!r} has another value, too")
        found.setdefault(name, value)
    for kept in ({**found, **ours}, ours):
        kept = {name: value for name, value in kept.items() if value or name not in _IF_KNOWN}
        try:
            check_attributes(kept, ())
            return kept
        except AdminError as error:
            problems.append(f"its attributes cannot be kept: {error}")
    return {}
