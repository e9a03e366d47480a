"""Public documents: the key set (RFC 7517 §5) and metadata (RFC 8414, RFC 9728)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from ..errors import EMPTY_BODY
from ..keys import JWKS_MAX_AGE
from ..webob import Request, Response
from . import Endpoint, require_get

# Seconds for which a document may be cached. It does not change while the process runs.
MAX_AGE = 300
JSON = "application/json"
# RFC 7517 §8.5
KEY_SET = "application/jwk-set+json"


class Document:
    """A public document, encoded once. Pages of other origins may read it too.

    :param max_age: seconds for which it may be cached; 0: it must be revalidated each time.
    """

    def __init__(self, members: Mapping[str, object], media_type: str = JSON, *, max_age: int = MAX_AGE) -> None:
        self._body = json.dumps(members).encode()
        self._etag = f'"{sha256(self._body).hexdigest()[:32]}"'
        self._about = (
            ("ETag", self._etag),
            ("Cache-Control", f"public, max-age={max_age}" if max_age else "no-cache"),
            ("Access-Control-Allow-Origin", "*"),
        )
        self._headers = (("Content-Type", media_type), ("Content-Length", str(len(self._body))), *self._about)

    def __call__(self, request: Request) -> Response:
        require_get(request)
        # WebOb's conditional_response also reads ranges and dates, and raises on those with too many digits.
        if self._has_tag(request.environ.get("HTTP_IF_NONE_MATCH", "")):
            return Response(status="304 Not Modified", headerlist=list(self._about), app_iter=EMPTY_BODY)
        return Response(headerlist=list(self._headers), app_iter=[self._body])

    def _has_tag(self, if_none_match: str) -> bool:
        """Compare weakly (RFC 9110 §13.1.2): a proxy that compresses may have weakened the tag."""
        tags = [tag.strip(" \t") for tag in if_none_match.split(",")]
        return tags == ["*"] or self._etag in tags or f"W/{self._etag}" in tags


def key_set(public: Callable[[], Sequence[Mapping[str, str]]]) -> Endpoint:
    """The endpoint of the public keys that verify our tokens.

    :param public: returns the public members of each key (RFC 7517 §4).
    """

    def serve(request: Request) -> Response:
        require_get(request)
        keys = public()
        # The first key signs as soon as it is made, so an empty set may not be cached.
        return Document({"keys": keys}, KEY_SET, max_age=JWKS_MAX_AGE if keys else 0)(request)

    return serve
