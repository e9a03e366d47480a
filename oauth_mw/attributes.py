"""Custom attributes of a client, copied to each of its tokens."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from .errors import AdminError
from .model import Client, Value

MAX_ATTRIBUTES = 18
MAX_BYTES = 2048

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)  # RFC 8259 §6

# Members of OAuth answers (RFC 6749 §5, RFC 9449), of introspection answers (RFC 7662 §2.2), JWT claims
# (RFC 7519 §4.1, RFC 9068 §2.2, RFC 8693 §4, RFC 7800, OpenID Connect Core §5.1) and of Apigee's token answer.
RESERVED_ATTRIBUTES = frozenset(
    """
    access_token token_type expires_in refresh_token scope state error error_description error_uri
    id_token issued_token_type authorization_details code ace_profile nfv_token c_nonce c_nonce_expires_in
    active client_id username exp iat nbf sub aud iss jti cnf act may_act
    auth_time acr amr azp nonce sid roles groups entitlements events toe txn vot vtm rar
    name given_name family_name middle_name nickname preferred_username profile picture website email
    email_verified gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at
    issued_at application_name status api_product_list api_product_list_json developer.email organization_id
    organization_name refresh_token_expires_in refresh_token_issued_at refresh_token_status refresh_count
    app_enduser
    """.split()
)


def parse_attribute(text: str) -> tuple[str, Value]:
    """Read ``KEY=VALUE``: VALUE is a string unless it is ``true``, ``false`` or a JSON number; double quotes force one.

    :raises AdminError: there is no ``=``, or the quotes hold no JSON string.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise AdminError(f"attribute {text!r}: expected KEY=VALUE")
    if value in ("true", "false") or _NUMBER.fullmatch(value):
        read: Value = json.loads(value)
        return name, read
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return name, str(json.loads(value))
        except ValueError:
            raise AdminError(f"attribute {name!r}: the quotes hold no JSON string") from None
    return name, value


def check_attributes(attributes: Mapping[str, object]) -> None:
    """
    :raises AdminError: too many or too large, a name that is taken, or a value of another type.
    """
    if len(attributes) > MAX_ATTRIBUTES:
        raise AdminError(f"a client has at most {MAX_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise AdminError(f"attribute {name!r}: a name has 1 to 64 letters, digits or _ - .")
        if name.lower() in RESERVED_ATTRIBUTES:
            raise AdminError(f"attribute {name!r}: the name has a meaning of its own in OAuth answers")
        if not isinstance(value, str | int | float | bool) or (isinstance(value, float) and not math.isfinite(value)):
            raise AdminError(f"attribute {name!r}: expected a string, a number, true or false")
    try:
        size = len(json.dumps(dict(attributes), ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise AdminError("an attribute holds text that is not Unicode") from None
    if size > MAX_BYTES:
        raise AdminError(f"the attributes have {size} bytes, more than {MAX_BYTES}")


def unite(private: Mapping[str, Value], public: Mapping[str, Value]) -> dict[str, Value]:
    """Both kinds in one.

    :raises AdminError: a name stands in both.
    """
    for name in private.keys() & public.keys():
        raise AdminError(f"attribute {name!r}: given as private and as public")
    return {**private, **public}


def change(
    client: Client, private: Mapping[str, Value] | None, public: Mapping[str, Value] | None
) -> tuple[dict[str, Value], frozenset[str]]:
    """All attributes, and the names of the public ones, after those given replaced all of their kind.

    A name that is given leaves the other kind, where that one is kept.

    :raises AdminError: a name stands in both.
    """
    known = client.attributes.items()
    if private is None:
        kept = client.attributes.keys() - client.public_attributes - (public or {}).keys()
        private = {name: value for name, value in known if name in kept}
    if public is None:
        public = {name: value for name, value in known if name in client.public_attributes - private.keys()}
    return unite(private, public), frozenset(public)
