"""Custom attributes of a client, copied to each of its tokens."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping

from .errors import AdminError
from .model import Client, Value
from .texts import unprintable

MAX_ATTRIBUTES = 24
MAX_ATTRIBUTE_BYTES = 2048
MAX_ATTRIBUTE_NAME = 200

_WAY_OUT = "a private attribute of a client may have it"

_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)  # RFC 8259 §6

# Registered members of OAuth and introspection answers, registered JWT claims, and the members of Apigee's answer.
RESERVED_ATTRIBUTES = frozenset(
    """
    access_token token_type expires_in refresh_token scope state error error_description error_uri
    id_token issued_token_type authorization_details code ace_profile nfv_token c_nonce c_nonce_expires_in
    pct upgraded permissions rs_cnf nonce1 nonce2 ace_client_recipientid ace_server_recipientid session_state
    active client_id username exp iat nbf sub aud iss jti cnf act may_act cti exi cnonce sub_id verified_claims
    auth_time acr amr azp nonce sid roles groups entitlements events toe txn vot vtm rar at_hash c_hash s_hash
    sub_jwk orig dest mky rph crn msgi rcd rcdi jcard opt div sip_from_tag sip_date sip_callid sip_cseq_num
    sip_via_branch at_use_nbr htm htu ath atc vc vp sd_hash _sd _sd_alg status_list status vct
    eat_nonce ueid sueids oemid hwmodel hwversion oemboot dbgstat location eat_profile submods uptime bootcount
    bootseed dloas swname swversion manifests measurements measres intuse
    cdniv cdnicrit cdniip cdniuc cdniets cdnistt cdnistd cdni_signing sig_val_claims attest
    rdap_allowed_purposes rdap_dnt_allowed trust_mark_type
    name given_name family_name middle_name nickname preferred_username profile picture website email
    email_verified gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at
    place_of_birth nationalities birth_family_name birth_given_name birth_middle_name salutation title msisdn
    also_known_as _claim_names _claim_sources
    issued_at application_name api_product_list api_product_list_json developer.email organization_id
    organization_name refresh_token_expires_in refresh_token_issued_at refresh_token_status refresh_count
    app_enduser fault errorcode oauth_mw_position
    """.split()
)


def parse_attribute(text: str) -> tuple[str, Value]:
    """Parse ``KEY=VALUE``.

    VALUE is a string unless it is ``true``, ``false`` or a JSON number; in double quotes it is always a string.

    :raises AdminError: there is no ``=``, or what is in double quotes is not a JSON string.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise AdminError(f"attribute {text!r}: expected KEY=VALUE")
    if value in ("true", "false") or (len(value) <= MAX_ATTRIBUTE_BYTES and _JSON_NUMBER.fullmatch(value)):
        read: Value = json.loads(value)
        return name, read
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return name, str(json.loads(value))
        except ValueError:
            raise AdminError(f"attribute {name!r}: the text in quotes is not a JSON string") from None
    return name, value


def check_attributes(attributes: Mapping[str, object], public: Collection[str]) -> None:
    """Check all attributes of a client.

    :param public: the names of those that are members of answers. The others may have any printable name.
    :raises AdminError: they are too many or too large, one is malformed, or the name of a public one is reserved.
    """
    if len(attributes) > MAX_ATTRIBUTES:
        raise AdminError(f"a client has at most {MAX_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        _check_name(name, name in public)
        if not isinstance(value, str | int | float | bool) or (isinstance(value, float) and not math.isfinite(value)):
            raise AdminError(f"attribute {name!r}: expected a string, a number, true or false")
    try:
        size = len(json.dumps(dict(attributes), ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise AdminError("an attribute holds text that is not Unicode") from None
    except ValueError:  # Python turns no such number into text
        raise AdminError("an attribute is a number of too many digits") from None
    if size > MAX_ATTRIBUTE_BYTES:
        raise AdminError(f"the attributes have {size} bytes, more than {MAX_ATTRIBUTE_BYTES}")


def _check_name(name: str, public: bool) -> None:
    if not 1 <= len(name) <= MAX_ATTRIBUTE_NAME or unprintable(name):
        raise AdminError(f"attribute {name!r}: a name has 1 to {MAX_ATTRIBUTE_NAME} printable characters")
    if public and not _NAME.fullmatch(name):
        raise AdminError(f"attribute {name!r}: a public name has only letters, digits, _ - and .: {_WAY_OUT}")
    if public and name.lower() in RESERVED_ATTRIBUTES:
        raise AdminError(f"attribute {name!r}: the name is reserved for a member of OAuth responses: {_WAY_OUT}")


def unite(private: Mapping[str, Value], public: Mapping[str, Value]) -> dict[str, Value]:
    """Merge both kinds, or raise ``AdminError`` if a name is given in both."""
    for name in private.keys() & public.keys():
        raise AdminError(f"attribute {name!r}: given as private and as public")
    return {**private, **public}


def change(
    client: Client, private: Mapping[str, Value] | None, public: Mapping[str, Value] | None
) -> tuple[dict[str, Value], frozenset[str]]:
    """Replace all attributes of the kinds that are given. Return all attributes and the names of the public ones.

    ``None`` keeps a kind, except names that are now given in the other kind.

    :raises AdminError: a name is given in both.
    """
    if private is None:
        kept = client.attributes.keys() - client.public_attributes - (public or {}).keys()
        private = {name: value for name, value in client.attributes.items() if name in kept}
    if public is None:
        still_public = client.public_attributes - private.keys()
        public = {name: value for name, value in client.attributes.items() if name in still_public}
    return unite(private, public), frozenset(public)
