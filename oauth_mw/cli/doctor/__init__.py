"""``oauth-mw doctor``: find the usual faults of a running deployment."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...environment import DOCTOR_CLIENT, DOCTOR_SECRET
from ...errors import AdminError
from ...urls import as_origin
from ..failures import MISCONFIGURED, DeploymentUnavailable
from ..fetching import Http
from ..groups import Remote
from ..scraping import TOKEN_PATH, ca_file_option, checked_url, header_option, secret_in, timeout_option
from ..tables import columns, table
from ..target import Target
from ..terminal import Output, on_target
from .checks import (
    Check,
    authorization,
    caches,
    chunked,
    clock,
    encryption,
    hosts,
    in_front,
    login,
    store,
    token_path,
)
from .cures import FAULTS, NAMES
from .deployment import MOST_BYTES, Deployment, origin_of
from .documents import issuer, metadata
from .finding import CERTAIN, LIKELY, UNKNOWN, Finding, unknown
from .signed import Client, signed, withheld

NO_FAULTS = "no faults"
DECISIVE = ("middleware", "Authorization", "token path")  # little can be judged without them
F = TypeVar("F", bound=Callable[..., Any])
CHECKS: dict[str, Check] = {
    "https": encryption,
    "middleware": in_front,
    "Authorization": authorization,
    "token path": token_path,
    "redirects": login,
    "host": hosts,
    "issuer": issuer,
    "metadata": metadata,
    "clock": clock,
    "caches": caches,
    "chunked": chunked,
    "store": store,
}


def _absolute(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value.startswith("/") or not value.isprintable() or not value.isascii()):
        raise click.BadParameter("expected a path, such as /reports")
    if value and (" " in value or "?" in value or "#" in value):
        raise click.BadParameter("expected a path without a query and spaces")
    return value


def _path(name: str, default: str | None, help: str) -> Callable[[F], F]:
    return click.option(
        name, metavar="PATH", default=default, show_default=bool(default), callback=_absolute, help=help
    )


@click.command(cls=Remote)
@click.argument("url", metavar="URL")
@_path("--path", None, "A path below URL that needs a token: / by default. It is called by GET.")
@click.option(
    "--client",
    metavar="ID",
    help=f"Request tokens as this client, or as that in {DOCTOR_CLIENT}. Its secret is in {DOCTOR_SECRET}, or prompted"
    " for.",
)
@click.option("--scope", metavar="SCOPE", default="", help="What the tokens are requested for.")
@_path("--token-path", TOKEN_PATH, "The token_path of the deployment.")
@_path("--revocation-path", "/oauth/revoke", "Its revocation_path, at which the tokens are revoked.")
@header_option
@ca_file_option
@timeout_option
@on_target
def doctor(target: Target, /, url: str, client: str | None, scope: str, **options: Any) -> Output:
    """Find the usual faults of a running deployment at URL, each with its cure.

    URL is that which clients use, with the mount, such as https://api.example.com. Without a client no credential is
    sent. With one, four tokens are requested, used and revoked. Credentials are not sent over plain http to another
    machine, and not where a redirect leads.

    Certain faults have exit code 2; what is likely, or cannot be told, is shown with exit code 0.
    """
    deployment = _deployment(url, **options)
    client = client or os.environ.get(DOCTOR_CLIENT)
    known = Client(client, secret_in(DOCTOR_SECRET), scope) if client and not deployment.is_plain else None
    findings = _findings(deployment)
    if client:
        if known is None or (why := withheld(deployment, findings)):
            why = "not sent over plain http" if known is None else why
            findings.append(unknown("client", why))
        else:
            findings += signed(deployment, known)
    code = MISCONFIGURED if any(each.verdict == CERTAIN for each in findings) else 0
    return Output(view(deployment, findings), text(deployment, findings), code=code)


def _findings(deployment: Deployment) -> list[Finding]:
    """
    :raises DeploymentUnavailable: the first request is not answered. A later one is a finding.
    """
    _ = deployment.bare
    findings = []
    for name, check in CHECKS.items():
        try:
            findings.append(check(deployment))
        except (DeploymentUnavailable, AdminError) as failed:
            findings.append(unknown(name, str(failed)))
    return findings


def _deployment(
    url: str,
    *,
    path: str | None,
    token_path: str,
    revocation_path: str,
    header: str,
    ca_file: str | None,
    timeout: float,
) -> Deployment:
    base = checked_url("URL", url, "", allow_http=True).rstrip("/")
    origin = origin_of(base)
    base = (as_origin(base) or origin) + base.removeprefix(origin)  # issuers are compared with it
    http = Http(header, timeout, ca_file, MOST_BYTES)
    return Deployment(base, path or "/", http, token_path, revocation_path, named=path is not None)


def view(deployment: Deployment, findings: list[Finding]) -> dict[str, object]:
    """For scripts."""
    return {
        "url": deployment.base,
        "path": deployment.path,
        "findings": [
            {
                **{name: part for name, part in each._asdict().items() if name != "fault"},
                "fault": FAULTS[each.fault].says if each.fault else None,
                "cures": FAULTS[each.fault].cure._asdict() if each.fault else {},
            }
            for each in findings
        ],
    }


def text(deployment: Deployment, findings: list[Finding]) -> str:
    """For people."""
    parts = [
        f"{deployment.base}, by GET {deployment.path}",
        table(["CHECK", "FINDING", "WHAT WAS SEEN"], [(each.check, each.verdict, each.evidence) for each in findings]),
    ]
    for word, verdict in (("Error:", CERTAIN), ("warning:", LIKELY)):
        for name in dict.fromkeys(each.fault for each in findings if each.verdict == verdict):
            fault = FAULTS[name]
            heading = f"{word} {fault.says}" + (" (likely)" if verdict == LIKELY else "")
            parts.append(f"{heading}\n{columns(list(zip(NAMES, fault.cure, strict=True)))}")
    if not any(each.is_fault for each in findings):
        hidden = [each.check for each in findings if each.check in DECISIVE and each.verdict == UNKNOWN]
        parts.append(f"{NO_FAULTS} in what can be told, which is not: {', '.join(hidden)}" if hidden else NO_FAULTS)
    return "\n\n".join(parts)
