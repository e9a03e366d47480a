"""The types of the options, as users give them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypedDict

from .auditor import OnEvent
from .hooks import OnIssue, OnLifetime
from .on_refusal import Hook

_Text = str | None
_Boolean = bool | str | None
_Integer = int | str | None
_Seconds = float | Decimal | Fraction | str | None
_List = str | Sequence[str] | None
_Rules = str | Sequence[str | Sequence[str]] | None


class Options(TypedDict, total=False):
    """The options except ``store``, typed for editors and type checkers.

    :class:`~oauth_mw.config.Settings` documents them. Each is a Python value, the string of an ini, or ``None``
    for the default.
    """

    token_path: _List
    revocation_path: _Text
    introspection_path: _Text
    jwks_path: _Text
    metadata: _Boolean | _List
    scopes_supported: _Boolean
    access_token_lifetime: _Integer
    default_scope: _List
    scope_policy: _Text
    grant_type_in: _List
    compatibility: _Text
    audience_parameter: _Boolean
    token_prefix: _Text
    client_auth_methods: _List
    token_format: _Text
    signing_algorithm: _Text
    issuer: _Text
    public_url: _Text
    audience: _List
    key_encryption_secret: _Text
    signing_key_lifetime: _Integer
    signing_key_files: _List
    public_paths: _List
    required_scopes: _Rules
    ambiguous_paths: _Text
    trust_vhm_root: _Boolean
    trusted_proxies: _List
    forwarded_header: _Text
    throttle: _Boolean | _List
    rate_limit: _Text
    preflight: _Boolean
    cors_origins: _List
    cors_headers: _List
    cors_max_age_seconds: _Integer
    on_refusal: str | Hook | None
    on_event: str | OnEvent | None
    audit_accepted: _Boolean
    request_id_key: _Text
    on_issue: str | OnIssue | None
    on_issue_public: _List
    on_lifetime: str | OnLifetime | None
    delay_auth_decision: _Boolean
    remote_user: _Boolean
    authorization_header: _Text
    strip_authorization: _Boolean
    realm: _Text
    cache_size: _Integer
    leeway_seconds: _Seconds
    revocation_lag_seconds: _Seconds
    outage_grace_seconds: _Seconds
    store_timeout_seconds: _Seconds
    health_path: _Text
    metrics_path: _Text
    metrics_client_ids: _Boolean
