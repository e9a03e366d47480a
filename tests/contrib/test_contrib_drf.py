"""Django REST framework: the client as its user, beside its own classes, and ``require_scope`` in its views."""

from __future__ import annotations

import django.test
import django.urls
import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from helpers.frameworks import django_app
from helpers.support import bearer, issue
from helpers.wsgi_client import challenge_of
from oauth_mw import ConfigError, current_token
from oauth_mw.contrib.django import require_scope
from oauth_mw.contrib.drf import ClientUser, OAuthMWAuthentication

STORE_KINDS = ["memory"]

django_app()  # which configures Django, as Django REST framework needs it to be imported

from rest_framework import decorators, permissions, response, views  # noqa: E402
from rest_framework.authentication import BasicAuthentication  # noqa: E402
from rest_framework.renderers import JSONRenderer  # noqa: E402
from rest_framework.throttling import UserRateThrottle  # noqa: E402


class Closed(views.APIView):
    authentication_classes = [OAuthMWAuthentication, BasicAuthentication]
    permission_classes = [permissions.IsAuthenticated]
    renderer_classes = [JSONRenderer]

    def get(self, request):
        is_token = request.auth is current_token(request.META)
        return response.Response({"pk": request.user.pk, "user": str(request.user), "auth": is_token})

    post = get


class Open(Closed):
    permission_classes = []

    def get(self, request):
        return response.Response({"user": str(request.user), "auth": str(request.auth)})


class Staff(Closed):
    permission_classes = [permissions.IsAdminUser]


class Throttled(Closed):
    class throttle(UserRateThrottle):
        rate = "1/hour"

    throttle_classes = [throttle]


class Scoped(Closed):
    @require_scope("write")
    def get(self, request):
        return response.Response("the view ran")


@decorators.api_view(["GET"])
@decorators.authentication_classes([OAuthMWAuthentication])
@decorators.permission_classes([])
@decorators.renderer_classes([JSONRenderer])
@require_scope("write")
def scoped(request):
    return response.Response("the view ran")


class Urls:
    urlpatterns = [
        *(django.urls.path(each.__name__, each.as_view()) for each in (Closed, Open, Staff, Throttled, Scoped)),
        django.urls.path("scoped", scoped),
    ]


class Request(WSGIRequest):
    urlconf = Urls


class Handler(WSGIHandler):
    request_class = Request


@pytest.fixture(autouse=True)
def settings():
    """Without Django's own users, as an app with machines for clients may be."""
    with django.test.override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}):
        yield


@pytest.fixture
def site(wrap, client):
    return lambda **options: wrap(Handler(), **options)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_client_is_the_user_and_its_token_the_authentication(site, method):  # B-17
    app = site()

    answer = getattr(app, method)("/Closed", headers=bearer(issue(app)))

    assert answer.json == {"pk": "tester", "user": "tester", "auth": True}


def test_without_a_token_there_is_no_user_and_the_view_decides(site):
    assert site(public_paths=["/*"]).get("/Open").json == {"user": "None", "auth": "None"}


# What a request sends that passes without a token, and the error of the challenge.
ERRORS = {"nothing": ({}, None), "an invalid token": (bearer("unknown"), "invalid_token")}


@pytest.mark.parametrize(("headers", "error"), ERRORS.values(), ids=ERRORS)
def test_a_401_of_the_framework_has_the_challenge_of_the_middleware(site, headers, error):  # B-01
    app = site(delay_auth_decision=True, realm="the vault")

    answer = app.get("/Closed", headers=headers, status=401)

    assert challenge_of(answer).scheme == "Bearer"
    assert challenge_of(answer).parameters == {"realm": "the vault"} | ({"error": error} if error else {})


def test_the_next_class_is_tried_where_there_is_no_token(site):
    answer = site(public_paths=["/*"]).get("/Closed", headers={"Authorization": "Basic ="}, status=401)

    assert "Invalid basic header" in answer.json["detail"]


def test_a_client_has_no_permission_of_djangos(site):
    app, user = site(), ClientUser("tester")

    app.get("/Staff", headers=bearer(issue(app)), status=403)

    assert [user.has_perm("a.b"), user.has_perms(["a.b"]), user.has_module_perms("a"), user.is_superuser] == [False] * 4


def test_each_client_has_a_rate_of_its_own(site):
    app = site()
    token = bearer(issue(app))

    assert [app.get("/Throttled", headers=token, status="*").status_int for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["/Scoped", "/scoped"])
def test_a_view_may_need_a_scope(site, path):  # S-11
    app = site()

    answers = [app.get(path, headers=bearer(issue(app, scope=scope)), status="*") for scope in ("write", "read")]

    assert [answer.status_int for answer in answers] == [200, 403]
    assert challenge_of(answers[1]).parameters["scope"] == "write"


def test_under_asgi_it_raises():
    with pytest.raises(ConfigError, match="under ASGI"):
        OAuthMWAuthentication().authenticate(django.test.AsyncRequestFactory().get("/"))
