"""Several paths in ``token_path``: the token endpoint is at each of them, under the same rules."""

from __future__ import annotations

import pytest

from helpers.support import CC, SECRET, TESTER, basic, bearer
from oauth_mw import ConfigError

STORE_KINDS = ["memory"]

FIRST, SECOND = "/oauth/token", "/oauth/accesstoken"
ORIGIN = "https://app.example.com"

each_path = pytest.mark.parametrize("path", [FIRST, SECOND])


@pytest.fixture
def both(wrap, client):
    """Wrap with two token paths."""
    return lambda **options: wrap(token_path=[FIRST, SECOND], **options)


@each_path
def test_each_path_issues_tokens_before_any_rule(both, path):
    app = both(required_scopes=["* /* read"])

    token = app.post(path, CC, headers=TESTER).json["access_token"]

    app.get("/any", headers=bearer(token), status=200)


@each_path
def test_a_slash_at_the_end_of_each_path_is_named(both, path):
    assert "leave out the slash" in both().post(f"{path}/", CC, headers=TESTER, status=404).json["error_description"]


@each_path
def test_a_page_may_post_to_each_path(both, path):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}

    answer = both(cors_origins=ORIGIN).options(path, headers=asked)

    assert answer.headers["Access-Control-Allow-Methods"] == "POST"


@each_path
def test_a_refusal_at_each_path_has_the_members_of_apigee(both, path):
    assert both(compatibility="apigee").get(path, status=405).json["ErrorCode"] == "invalid_request"


def test_wrong_secrets_at_all_paths_count_together(both):
    app, wrong = both(throttle="2/hour 100/hour"), basic("tester", "no" + SECRET)

    answers = [app.post(path, CC, headers=wrong, status="*").status_int for path in (FIRST, SECOND, FIRST)]

    assert answers == [401, 401, 429]


@pytest.mark.parametrize("paths", [[FIRST, SECOND], [SECOND, FIRST]])
def test_the_metadata_name_the_first_path(wrap, paths):
    metadata = wrap(issuer="https://auth.example", token_path=paths).get("/.well-known/oauth-authorization-server")

    assert metadata.json["token_endpoint"] == f"https://auth.example{paths[0]}"


@each_path
@pytest.mark.parametrize("options", [{"public_paths": "{}"}, {"required_scopes": "POST {} read"}], ids=str)
def test_a_rule_or_public_path_that_is_exactly_one_of_them_is_refused(both, path, options):
    ((option, text),) = options.items()

    with pytest.raises(ConfigError, match=f"^{option}: .* is exactly token_path"):
        both(**{option: text.format(path)})


@each_path
def test_another_own_path_that_is_one_of_them_is_refused(both, path):
    with pytest.raises(ConfigError, match=f"^revocation_path: {path} is taken by token_path$"):
        both(revocation_path=path)


@each_path
def test_a_middleware_around_another_with_one_of_them_is_refused(both, wrap, path):
    with pytest.raises(ConfigError, match=f"^token_path: .* {path}, is around the app already"):
        wrap(both().app, token_path=["/outer", path])
