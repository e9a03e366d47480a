"""The picture is what its script draws, and its steps are what requests meet, in their order."""

from __future__ import annotations

import runpy
from types import SimpleNamespace
from xml.etree import ElementTree

from running_example import EXAMPLES

from helpers.support import bearer, echo, issue, one_store

FOLDER = EXAMPLES / "picture"
PICTURE = SimpleNamespace(**runpy.run_path(str(FOLDER / "draw.py")))


def test_the_picture_is_what_the_script_draws():
    drawn = PICTURE.picture()

    assert (FOLDER / "oauth_mw.svg").read_text(encoding="utf-8") == drawn
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"


# Path and token. Each request also fits the steps after its own, as far as it can.
REQUESTS = {
    "a public path": ("/public", "invalid"),
    "a path that can be read in two ways": ("//ruled", ""),
    "no token": ("/ruled", ""),
    "a token that is not valid": ("/ruled", "invalid"),
    "too little scope": ("/ruled", "valid"),
    "none of these": ("/any", "valid"),
}


@one_store
def test_a_request_meets_the_steps_that_are_drawn(wrap, client):
    app = wrap(public_paths=["/public"], required_scopes=[("GET", "/ruled", "admin")])
    headers = {"valid": bearer(issue(app)), "invalid": bearer("x" * 48), "": {}}
    answers = {step: app.get(path, headers=headers[kind], status="*") for step, (path, kind) in REQUESTS.items()}
    own, *others = PICTURE.STEPS

    assert (own.found, own.status) == ("a path of its own", "200 a token")
    assert [(step.found, step.status or "200") for step in others] == [
        (step, answer.status[:3]) for step, answer in answers.items()
    ]
    assert {step.found for step in others if not step.status} == {
        step for step, answer in answers.items() if b"MARKER" in answer.body
    }


@one_store
def test_the_app_finds_the_keys_that_are_drawn(wrap, client):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return echo(environ, start_response)

    guarded = wrap(app)
    guarded.get("/", headers=bearer(issue(guarded)))

    assert {*PICTURE.KEYS} == {key for key in seen if key.startswith("oauth_mw.")}
