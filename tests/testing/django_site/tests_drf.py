"""Run by ``manage.py test``: Django REST framework's client."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import override_settings
from django.urls import include, path
from django.utils.decorators import method_decorator
from rest_framework import permissions
from rest_framework.authentication import SessionAuthentication
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.test import APIClient, APITestCase
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from oauth_mw import OAuthMiddleware
from oauth_mw.contrib.django import require_scope
from oauth_mw.contrib.drf import ClientUser, OAuthMWAuthentication
from oauth_mw.testing import assert_closed, sandbox

from .wsgi import application


class Reports(APIView):
    def get(self, request):
        return Response({"client_id": request.META["oauth_mw.client_id"], "user": request.user.username})

    def post(self, request):
        return Response({"filed": request.data}, status=201)


class Users(ViewSet):
    def retrieve(self, request, pk=None):
        return Response({"pk": pk})


class Listing:
    def list(self, request, **kwargs):
        return Response({"user": request.user.get_username()})


@method_decorator(require_scope("builds:read"), name="list")
class Builds(Listing, ViewSet):
    pass


class HasScope(permissions.BasePermission):
    def has_permission(self, request, view):
        return not isinstance(request.user, ClientUser) or request.auth.has_scope("notes:read")


class Notes(ViewSet):
    authentication_classes = [OAuthMWAuthentication, SessionAuthentication]
    permission_classes = [permissions.IsAuthenticated & HasScope]

    list = Listing.list


router = DefaultRouter()
router.register("users", Users, basename="user")
router.register("builds", Builds, basename="build")
router.register("notes", Notes, basename="note")
urlpatterns = [path("reports", Reports.as_view()), path("api/", include(router.urls))]


@override_settings(ROOT_URLCONF=__name__)
class APIClientTest(APITestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox())
        self.oauth.authorize(self.client, scope="reports:read reports:write")

    def test_a_view_is_called_with_the_identity(self):
        response = self.client.get("/reports")

        self.assertEqual(response.data, {"client_id": "job", "user": ""})

    def test_data_in_json_is_read(self):
        response = self.client.post("/reports", {"title": "Q3"}, format="json")

        self.assertEqual((response.status_code, response.data), (201, {"filed": {"title": "Q3"}}))

    def test_a_request_without_a_token_is_refused(self):
        response = self.oauth.set_token(APIClient(), None).get("/reports")

        self.assertEqual((response.status_code, response.json()["message"]), (401, "A bearer access token is needed"))

    def test_a_user_that_is_forced_is_kept(self):
        self.client.force_authenticate(User(username="ada"))

        self.assertEqual(self.client.get("/reports").data["user"], "ada")

    def test_credentials_of_the_client_are_sent_instead(self):
        other = self.oauth.token_for("reports:read", client="other")
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {other}")

        self.assertEqual(self.client.get("/reports").data["client_id"], "other")

    def test_csrf_is_not_enforced_where_no_session_is(self):
        strict = self.oauth.authorize(APIClient(enforce_csrf_checks=True), scope="reports:write")

        self.assertEqual(strict.post("/reports", {"title": "Q3"}, format="json").status_code, 201)

    def test_the_routes_of_a_router_are_closed(self):
        assert_closed()

    def test_an_open_route_of_a_router_is_named(self):
        opened = OAuthMiddleware(application.wrapped, store="memory://", public_paths=["/api/users/1.json"])

        with self.assertRaisesMessage(AssertionError, " answers GET /api/users/1.json without a token"):
            assert_closed(opened)

    def test_what_a_view_set_inherits_may_need_a_scope(self):
        reader = self.oauth.authorize(APIClient(), scope="builds:read")

        self.assertEqual([each.get("/api/builds/").status_code for each in (self.client, reader)], [403, 200])

    def test_the_format_suffix_of_a_router_is_a_path_of_its_own(self):
        guarded = OAuthMiddleware(application.wrapped, store="memory://", required_scopes=[("*", "/api/builds/*", "b")])
        oauth = self.enterContext(sandbox(guarded))
        client = oauth.authorize(APIClient(), scope="builds:read")

        answers = [client.get(path).status_code for path in ("/api/builds/", "/api/builds.json")]

        self.assertEqual(answers, [403, 200])


@override_settings(ROOT_URLCONF=__name__)
class SharedViewTest(APITestCase):
    """A view for people with a session and for machines with a token."""

    def setUp(self):
        delayed = OAuthMiddleware(application.wrapped, store="memory://", delay_auth_decision=True)
        self.oauth = self.enterContext(sandbox(delayed))
        self.oauth.set_token(self.client, None)

    def test_a_person_needs_a_session(self):
        self.client.force_login(User.objects.create_user("ada"))

        self.assertEqual(self.client.get("/api/notes/").data, {"user": "ada"})

    def test_a_machine_needs_a_token_with_the_scope(self):
        answers = {scope: self.oauth.authorize(self.client, scope).get("/api/notes/") for scope in ("notes:read", "x")}

        self.assertEqual(answers["notes:read"].data, {"user": "job"})
        self.assertEqual(answers["x"].status_code, 403)

    def test_without_either_it_is_refused(self):
        self.assertEqual(self.client.get("/api/notes/").status_code, 401)
