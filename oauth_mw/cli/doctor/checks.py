"""Checks that need no credentials. Each of them is a function that returns one finding."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from ...errors import AUTHORIZATION
from ...texts import shown
from ...urls import as_origin
from ..failures import DeploymentUnavailable
from ..fetching import Answer
from .deployment import (
    UNNAMED,
    Deployment,
    asgi_server,
    bearer_challenge,
    described,
    error_of,
    header,
    is_endpoint,
    is_login,
    location,
    other_scheme,
    says_invalid_token,
    split,
)
from .finding import CERTAIN, LIKELY, Finding, fine, unknown

CLOCK_SECONDS = 5  # less than that harms nothing

Check = Callable[[Deployment], Finding]


def encryption(deployment: Deployment) -> Finding:
    name = "https"
    if deployment.is_plain:
        return Finding(name, CERTAIN, f"{deployment.base} is plain http", "plain http")
    if deployment.base.startswith("http:"):
        return unknown(name, "called on this machine itself: give the URL that clients use")
    if urlsplit(deployment.base).port:
        return fine(name, "https")
    plain = "http" + deployment.base.removeprefix("https")
    try:
        answer = deployment.http.ask(plain + deployment.path)
    except DeploymentUnavailable:
        return fine(name, "https, and no plain http beside it")
    if bearer_challenge(answer):
        return Finding(name, CERTAIN, f"{plain} answers, too: {described(answer)}", "plain http")
    return fine(name, f"https; plain http is answered {described(answer)}")


def in_front(deployment: Deployment) -> Finding:
    name, bare, path = "middleware", deployment.bare, deployment.path
    seen = f"GET {path}: {described(bare)}"
    if deployment.guards:
        return fine(name, seen)
    if location(bare) or is_login(bare) or bare.status in (401, 407, 429) or bare.status >= 500:
        return unknown(name, f"{seen}, before the app or by it")
    server = asgi_server(bare)
    by = f"; {server} is an ASGI server" if server else ""
    if not deployment.has_token_path and not bearer_challenge(deployment.unnamed):
        seen += f"; POST {deployment.token_path}: {described(deployment.unnamed)}{by}"
        return Finding(name, LIKELY, seen, "bypassed") if bare.status < 400 else unknown(name, seen)
    if deployment.named or server:
        return Finding(name, LIKELY, f"{seen}, without a token{by}", "bypassed" if server else "open")
    return unknown(name, f"{seen}, without a token: give --path with one that needs a token")


def authorization(deployment: Deployment) -> Finding:
    name, bare = "Authorization", deployment.bare
    if scheme := other_scheme(bare):
        return _taken(deployment, name, f"GET {deployment.path}: {described(bare)}", scheme, LIKELY)
    if not deployment.guards:
        return unknown(name, f"GET {deployment.path} is not refused by the guard: give --path with one that is")
    seen = f"GET {deployment.path} with a made-up token: {described(deployment.made_up)}"
    challenge = bearer_challenge(deployment.made_up)
    if says_invalid_token(deployment.made_up):
        return fine(name, seen)
    if not challenge or "error=" in challenge:
        return unknown(name, seen)
    if other := _other_header(deployment):
        return unknown(name, f"{seen}, which depends on {other}: give --header {other}")
    if deployment.stores_refusals:
        return Finding(name, CERTAIN, f"{seen}: the stored answer to a request without one", "cached")
    return Finding(name, CERTAIN, seen, "authorization")


def _taken(deployment: Deployment, name: str, seen: str, scheme: str, verdict: str) -> Finding:
    """Something before the app asks for credentials of its own. With another header for tokens, that is no fault."""
    if deployment.http.header.lower() != AUTHORIZATION.lower():
        return unknown(name, f"{seen}, before the app: no credential for {scheme} is sent")
    return Finding(name, verdict, f"{seen}, before the app or by it", "authorization")


def _other_header(deployment: Deployment) -> str:
    """The header that the guard reads in the place of the one that was sent: its refusals vary by it alone."""
    names = [each.strip() for each in header(deployment.bare, "Vary").split(",")]
    if deployment.http.header.lower() in (each.lower() for each in names):
        return ""
    return next((shown(each) for each in names if each == AUTHORIZATION or each.lower().startswith("x-")), "")


def token_path(deployment: Deployment) -> Finding:
    name = "token path"
    try:
        answer = deployment.unnamed
    except DeploymentUnavailable as failed:
        return Finding(name, LIKELY, str(failed), "token path")
    seen = f"POST {deployment.token_path}: {described(answer)}"
    if is_endpoint(answer):
        return fine(name, seen)
    if location(answer):
        return Finding(name, CERTAIN, seen, "login" if is_login(answer) else "redirected")
    if bearer_challenge(answer):
        return Finding(name, CERTAIN, f"{seen}: the guard takes it for a path of the app", "token path")
    if scheme := other_scheme(answer):
        return _taken(deployment, name, seen, scheme, CERTAIN)
    if answer.status == 429 or answer.status >= 500:
        return unknown(name, f"{seen}: the server or a proxy")
    return Finding(name, CERTAIN, seen, "token path")


def login(deployment: Deployment) -> Finding:
    name = "redirects"
    answers = deployment.first_answers.items()
    pages = [f"{request}: {described(answer)}" for request, answer in answers if is_login(answer)]
    places = [f"{request}: {described(answer)}" for request, answer in answers if location(answer)]
    if not deployment.named and (pages or places) and not _is_moved(deployment.unnamed):
        return unknown(name, f"{'; '.join(pages or places)}: give --path with one that needs a token")
    if pages:
        return Finding(name, CERTAIN, "; ".join(pages), "login")
    if places:
        return Finding(name, CERTAIN, "; ".join(places), "redirected")
    return fine(name, "none")


def _is_moved(answer: Answer) -> bool:
    return bool(location(answer)) or is_login(answer)


def hosts(deployment: Deployment) -> Finding:
    """Host rewriting shows where a redirect of the app names a host that only the proxy can reach.

    A scheme or a port that was lost on the way shows in the same place.
    """
    name, own = "host", urlsplit(deployment.base)
    places = [split(location(answer)) for answer in deployment.first_answers.values() if location(answer)]
    for place in places:
        origin = as_origin(f"{place.scheme}://{place.netloc}")
        is_upgrade = own.scheme == "http" and place.scheme == "https"
        if origin and place.hostname == own.hostname and origin != deployment.origin and not is_upgrade:
            return Finding(name, LIKELY, f"a redirect leads from {deployment.origin} to {origin}", "host")
    if deployment.is_local:
        return unknown(name, "called on this machine itself: give the URL that clients use")
    for place in places:
        if place.hostname and place.netloc != own.netloc and _is_internal(place.hostname):
            return Finding(name, LIKELY, f"a redirect leads to {place.scheme}://{place.netloc}", "host")
    if places:
        return fine(name, "no redirect leads to an internal host")
    return unknown(name, "nothing that was answered names a host that was taken from the request")


def _is_internal(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local", ".localdomain"))


def clock(deployment: Deployment) -> Finding:
    name, (answer, sent, received) = "clock", deployment.timed
    try:
        date = parsedate_to_datetime(str(answer.headers["Date"])).timestamp()
    except (ValueError, TypeError, OverflowError):
        return unknown(name, "the answers have no Date that can be read")
    off = max(sent - 1 - date, date - received, 0.0)  # Date has whole seconds
    if off <= CLOCK_SECONDS:
        return fine(name, "Date is that of this machine's clock")
    way = "behind" if date < sent else "ahead of"
    return Finding(name, LIKELY, f"Date is {off:.0f} s {way} this machine's clock", "clock")


def caches(deployment: Deployment) -> Finding:
    name, answer = "caches", deployment.unnamed
    if not deployment.has_token_path:
        return unknown(name, f"POST {deployment.token_path} is not answered by the token path")
    said = f"POST {deployment.token_path}: "
    if stored := _stored(answer) or _stored(deployment.twice):
        return Finding(name, CERTAIN, said + stored, "cached")
    if error_of(answer) == error_of(deployment.twice) == "invalid_client":
        return Finding(name, CERTAIN, f"{said}a malformed request gets the answer of the one before", "cached")
    if stored := storable(answer):
        return Finding(name, CERTAIN, said + stored, "cached")
    return fine(name, f"{said}no-store")


def storable(answer: Answer) -> str:
    """Why an answer of the token path may be stored, or was (RFC 6749 §5.1); empty if it may not."""
    directives = header(answer, "Cache-Control")
    may = "" if "no-store" in directives.lower() else f"Cache-Control is {shown(directives) or 'missing'}, no no-store"
    return _stored(answer) or may


def _stored(answer: Answer) -> str:
    """Why an answer is one that a cache had stored; empty if it does not show."""
    for name in ("X-Cache", "X-Cache-Status", "X-Proxy-Cache", "Cache-Status", "CF-Cache-Status"):
        value = header(answer, name)
        if "hit" in value.lower().replace(",", " ").replace(";", " ").split():
            return f"{name} is {shown(value)}"
    age = header(answer, "Age").strip()
    return f"Age is {shown(age)}" if age not in ("", "0") else ""


def chunked(deployment: Deployment) -> Finding:
    name = "chunked"
    if not deployment.has_token_path:
        return unknown(name, f"POST {deployment.token_path} is not answered by the token path")
    answer = deployment.chunked
    if isinstance(answer, str):
        deployment.post(deployment.token_path, UNNAMED)  # it still answers other ones
        return Finding(name, CERTAIN, f"a chunked POST {deployment.token_path} gets no answer: {answer}", "chunked")
    seen = f"a chunked POST {deployment.token_path}: {described(answer)}"
    same = (answer.status, error_of(answer)) == (deployment.unnamed.status, error_of(deployment.unnamed))
    if same:
        return fine(name, seen)
    if answer.status in (429, 502, 503, 504):
        return unknown(name, seen)
    return Finding(name, CERTAIN, seen, "chunked")


def store(deployment: Deployment) -> Finding:
    name = "store"
    for request, answer in deployment.first_answers.items():
        if answer.status == 503 and error_of(answer) == "temporarily_unavailable":
            return Finding(name, LIKELY, f"{request}: {described(answer)}", "store")
    if says_invalid_token(deployment.made_up) or deployment.has_token_path:
        return fine(name, "it answers")
    return unknown(name, "no answer depends on it")
