"""``doctor`` finds no fault in deployments that have none."""

from __future__ import annotations

import pytest

from helpers.sickness import LOGIN_FORM, answering
from oauth_mw.cli.doctor import CHECKS

HEALTHY = {
    "an issuer that ends in a slash": ({"issuer": "URL/"}, []),
    "JWTs": ({"issuer": "URL", "token_format": "jwt", "metadata": "oauth, openid"}, []),
    "another header": ({"authorization_header": "X-Api-Token", "issuer": "URL"}, ["--header", "X-Api-Token"]),
    "compatibility": ({"compatibility": "apigee"}, []),
    "own bodies": ({"on_refusal": lambda environ, refusal: ("text/html", LOGIN_FORM)}, []),
    "CORS": ({"cors_origins": ["https://app.example.com"]}, []),
    "a realm that looks like a challenge": ({"realm": "x, Bearer y"}, []),
    "own paths": ({"token_path": "/t", "revocation_path": "/r"}, ["--token-path", "/t", "--revocation-path", "/r"]),
}


@pytest.mark.parametrize(("options", "words"), HEALTHY.values(), ids=HEALTHY)
def test_options_of_a_healthy_deployment_are_no_faults(ill, diagnosed, options, words):
    ill.protect(**{name: each.replace("URL", ill.url) if name == "issuer" else each for name, each in options.items()})

    found, exit_code = diagnosed(*words)

    assert (list(found), exit_code) == ([*CHECKS], 0)
    assert [each for each in found.values() if each["fault"]] == []
    assert (found["Authorization"]["verdict"], found["token path"]["verdict"]) == ("fine", "fine")


def test_a_header_that_is_not_the_guards_is_no_fault(ill, diagnosed):
    ill.protect(authorization_header="X-Api-Token")

    found, exit_code = diagnosed()

    assert (found["Authorization"]["verdict"], exit_code) == ("cannot be told", 0)
    assert found["Authorization"]["evidence"].endswith("give --header X-Api-Token")


@pytest.mark.parametrize("place", ["/docs", "/login"])
def test_a_front_page_that_leads_on_is_no_fault(ill, diagnosed, place):
    ill.change(
        lambda inner: (
            lambda environ, start: (
                answering("302 Found", [("Location", place)])(inner) if environ["PATH_INFO"] == "/" else inner
            )(environ, start)
        )
    )

    found, exit_code = diagnosed(path="")

    assert (found["redirects"]["verdict"], exit_code) == ("cannot be told", 0)


def test_what_hides_all_else_is_not_called_healthy(ill, cli):
    ill.change(answering("502 Bad Gateway"))

    answer = cli("doctor", ill.url, "--path", "/reports", store=None)

    last = "no faults in what can be told, which is not: middleware, Authorization, token path"
    assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (0, last)
