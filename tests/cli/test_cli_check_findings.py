"""``oauth-mw check`` warns of what works, but perhaps not as intended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oauth_mw import open_store

FRAMEWORKS = Path(__file__).parents[2] / "examples" / "frameworks"


@pytest.fixture
def warnings(found, url):
    """The warnings about these rules, public paths and other lines."""
    open_store(url, create=True).close()

    def warnings(rules=(), public=(), *lines):
        scopes = ["required_scopes =", *(f"    {rule}" for rule in rules)] if rules else []
        return found(*lines, f"public_paths = {' '.join(public)}", *scopes)["warnings"]

    return warnings


def test_a_pattern_that_covers_own_paths_is_warned_of(warnings):
    assert warnings(["GET /oauth/* a", "GET /x a", "* /{} b"], ["/{}/revoke"], "introspection_path = /introspect") == [
        "required_scopes: 'GET /oauth/* a' never reaches token_path /oauth/token, revocation_path /oauth/revoke:"
        " own paths are answered first",
        "required_scopes: '* /{} b' never reaches introspection_path /introspect: own paths are answered first",
        "public_paths: '/{}/revoke' never reaches revocation_path /oauth/revoke: own paths are answered first",
        "public_paths: '/{}/revoke' opens all such paths that no rule names, of views added later too",
    ]


def test_a_rule_or_public_path_for_all_paths_is_no_mistake(warnings):
    assert warnings(["GET /* a", "* /* b"]) == []


def test_a_public_path_that_begins_with_any_name_is_warned_of(warnings):
    found = warnings(["* /x a"], ["/*", "/{name}", "/{}/x/*", "/", "/docs/*", "/docs/{name}"])

    assert [each.split("'")[1] for each in found] == ["/*", "/{name}", "/{}/x/*"]
    assert all(each.endswith("opens all such paths that no rule names, of views added later too") for each in found)


def test_a_public_path_that_opens_an_empty_name_is_warned_of(warnings):
    found = warnings(["* /é/{id} a", "* /x/{}/{id} a"], ["/é/", "/x/y/", "/x/{}/", "/{}/{}/", "/x", "/y/", "/"])

    falcon = [warning for warning in found if "Falcon" in warning]
    assert [warning.split("'")[1] for warning in falcon] == ["/é/", "/x/y/", "/x/{}/", "/{}/{}/"]


def test_ambiguous_paths_that_pass_beside_rules_are_warned_of_and_nothing_else(warnings):
    (warning,) = warnings(["GET /x a"], [], "ambiguous_paths = pass")

    assert warning.startswith("ambiguous_paths: ") and "bypassed" in warning
    assert warnings(["GET /x a"], ["/health"]) == []


UNUSED = {
    "openid without an issuer": (["metadata = oauth, openid"], [], "metadata"),
    "openid without a token endpoint": (
        ["issuer = https://a.example", "metadata = oauth, openid", "token_path = off"],
        [],
        "metadata",
    ),
    "scopes without an issuer": (["scopes_supported = true"], ["* /x a"], "scopes_supported"),
    "scopes of no rule": (["issuer = https://a.example", "scopes_supported = true"], ["* /x -"], "scopes_supported"),
    "scopes without documents": (
        ["issuer = https://a.example", "metadata = off", "scopes_supported = true"],
        ["* /x a"],
        "scopes_supported",
    ),
}


@pytest.mark.parametrize(("lines", "rules", "option"), UNUSED.values(), ids=UNUSED)
def test_an_option_that_does_nothing_is_warned_of(warnings, lines, rules, option):
    assert [warning.split(":")[0] for warning in warnings(rules, [], *lines) if "does nothing" in warning] == [option]


def test_caches_are_warned_of_where_the_token_is_in_another_header(warnings):
    (warning,) = warnings([], [], "authorization_header = X-Token")

    assert warning.startswith("authorization_header: ") and "Cache-Control" in warning


def test_public_metrics_are_warned_of_and_no_others(warnings):
    (warning,) = warnings([], ["/metrics"], "metrics_path = /metrics")

    assert warning.startswith("metrics_path: /metrics is public, ")
    assert warnings(["GET /metrics a"], [], "metrics_path = /metrics") == []


IDLE = {
    "no token endpoint": (
        ["token_path = off", "access_token_lifetime = 60"],
        "access_token_lifetime",
        "token_path is off",
    ),
    "no token endpoint for a parameter": (
        ["token_path = off", "audience_parameter = true"],
        "audience_parameter",
        "token_path is off",
    ),
    "no endpoint": (
        [
            "token_path = off",
            "revocation_path = off",
            "introspection_path = off",
            "client_auth_methods = client_secret_post",
        ],
        "client_auth_methods",
        "no endpoint needs them",
    ),
    "no issuer": (["signing_algorithm = RS256"], "signing_algorithm", "issuer is not set"),
    "no rules": (["ambiguous_paths = pass"], "ambiguous_paths", "there are no required_scopes"),
    "no endpoint to throttle": (
        ["token_path = off", "revocation_path = off", "introspection_path = off", "throttle = off"],
        "throttle",
        "no client authenticates",
    ),
    "no proxies": (["forwarded_header = Forwarded"], "forwarded_header", "trusted_proxies is not set"),
    "no on_issue": (["on_issue_public = tier"], "on_issue_public", "on_issue is not set"),
    "no metrics": (["metrics_client_ids = true"], "metrics_client_ids", "metrics_path is off"),
    "SQLite": (["revocation_lag_seconds = 5"], "revocation_lag_seconds", "it is for PostgreSQL and Redis"),
}


@pytest.mark.parametrize(("lines", "option", "why"), IDLE.values(), ids=IDLE)
def test_an_option_that_does_nothing_beside_others_is_warned_of(warnings, lines, option, why):
    assert warnings([], [], *lines) == [f"{option}: does nothing, because {why}"]


@pytest.mark.parametrize(
    ("issuer", "paths"),
    [
        ("https://example.com/auth", ["oauth-authorization-server/auth", "oauth-protected-resource/auth"]),
        ("https://example.com", []),
    ],
)
def test_documents_that_the_host_must_route_are_named(warnings, issuer, paths):
    found = [each for each in warnings([], [], f"issuer = {issuer}") if each.startswith("metadata: ")]

    route = "metadata: {} has a path, so the host must route /.well-known/{} to this app, without a prefix"
    assert found == [route.format(issuer, path) for path in paths]


FILTER = "[filter:oauth]\nuse = egg:oauth_mw\nstore = {}\n"
SERVED = {
    "not in the pipeline": ("[app:x]\nuse = egg:x\n[pipeline:main]\npipeline = x\n", "pipeline:main"),
    "only in another pipeline": ("[app:main]\nuse = egg:x\n[pipeline:p]\npipeline = oauth main\n", "app:main"),
    "in no pipeline": ("[app:x]\nuse = egg:x\n[pipeline:p]\npipeline = x\n", "app:x"),
    "in the pipeline": ("[app:x]\nuse = egg:x\n[pipeline:main]\npipeline = oauth x\n", None),
    "filter-with": ("[app:main]\nuse = egg:x\nfilter-with = oauth\n", None),
    "below a mount": (
        "[composite:main]\nuse = egg:Paste#urlmap\n/ = p\n[app:x]\nuse = egg:x\n[pipeline:p]\npipeline = oauth x\n",
        None,
    ),
    "no app": ("", None),
}


@pytest.mark.parametrize(("text", "app"), SERVED.values(), ids=SERVED)
def test_an_app_that_the_ini_serves_without_the_filter_is_named(printed, url, tmp_path, text, app):
    open_store(url, create=True).close()
    (tmp_path / "served.ini").write_text(text + FILTER.format(url))
    (tmp_path / "served.ini").chmod(0o600)

    found = printed("check", "served.ini", store=None)["warnings"]

    named = [f"config: [{app}] does not load [filter:oauth]: put it into the pipeline, or all is open"]
    assert found == (named if app else [])


def several(url, *lines):
    text = "".join(f"[app:{name}]\nuse = egg:x\nfilter-with = {name}\n" for name in ("oauth", "other"))
    base = FILTER.format(url).replace(":oauth]", ":base]")
    return "\n".join([text, base, "[filter:oauth]\nuse = base\n[filter:other]\nuse = base", *lines])


def test_all_sections_that_apps_name_are_checked_if_none_is_chosen(printed, url, tmp_path):
    (tmp_path / "several.ini").write_text(several(url, "realm = other"))

    found = printed("check", "several.ini", store=None)["middlewares"]

    assert [each["section"] for each in found] == ["filter:oauth", "filter:other"]
    assert printed("check", "several.ini#other", store=None)["section"] == "filter:other"


def test_a_section_that_no_app_names_is_not_checked_beside_one_that_an_app_names(printed, url, tmp_path):
    (tmp_path / "several.ini").write_text(several(url).replace("filter-with = other\n", ""))

    assert printed("check", "several.ini", store=None)["section"] == "filter:oauth"


def test_an_inherited_option_that_does_nothing_is_not_warned_of(printed, url, tmp_path):
    open_store(url, create=True).close()
    text = several(url, "token_path = off")
    (tmp_path / "several.ini").write_text(text.replace("egg:oauth_mw", "egg:oauth_mw\naccess_token_lifetime = 9"))
    (tmp_path / "several.ini").chmod(0o600)

    assert printed("check", "several.ini#other", store=None)["warnings"] == []


def test_the_faults_of_several_sections_are_reported_together(cli, url, tmp_path):
    (tmp_path / "several.ini").write_text(several(url, "realm = other", "cache_size = x").replace(url, "x"))

    answer = cli("check", "several.ini", store=None)

    named = [line.partition(": expected")[0] for line in answer.stderr.splitlines()]
    assert (answer.exit_code, named) == (
        2,
        ["Error: [filter:oauth] store", "Error: [filter:other] cache_size", "Error: [filter:other] store"],
    )


MOUNTED = {
    "alone": ("/x = open", ["app:open"]),
    "behind another filter": ("/x = piped", ["app:open"]),
    "with a section that it uses": ("/x = used", ["app:open"]),
    "guarded": ("/x = guarded", []),
    "by a filter around all": ("/x = open\nfilter-with = oauth", []),
}


@pytest.mark.parametrize(("mount", "apps"), MOUNTED.values(), ids=MOUNTED)
def test_an_app_that_is_mounted_without_a_filter_is_named(printed, url, tmp_path, mount, apps):
    open_store(url, create=True).close()
    sections = [
        f"[composite:main]\nuse = egg:Paste#urlmap\n/ = guarded\n{mount}\n[app:open]\nuse = egg:x",
        "[app:used]\nuse = open\n[pipeline:piped]\npipeline = gzip open\n[filter:gzip]\nuse = egg:gzip",
        "[app:guarded]\nuse = egg:x\nfilter-with = oauth\n" + FILTER.format(url),
    ]
    (tmp_path / "mounted.ini").write_text("\n".join(sections))
    (tmp_path / "mounted.ini").chmod(0o600)

    found = printed("check", "mounted.ini", store=None)["warnings"]

    assert found == [f"config: [{app}] is mounted without a filter of oauth_mw: it is open" for app in apps]


@pytest.mark.parametrize("place", ["app.ini", "site.ini#filter:oauth", "site.ini#filter:oauth-admin"])
def test_the_inis_of_the_examples_are_not_warned_of(printed, url, tmp_path, place):
    open_store(url, create=True).close()
    for file in FRAMEWORKS.glob("*.ini"):
        shutil.copy(file, tmp_path)

    assert printed("check", f"paste_{place}", store=None)["warnings"] == []
