"""Run by ``manage.py test``, as a project's own tests: see ``test_testing_django.py``."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import AsyncClient, Client, TestCase

from oauth_mw import OAuthMiddleware, admin
from oauth_mw.testing import assert_closed, sandbox

from .wsgi import application


class ClientTest(TestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox())

    def authorize(self, http_client=None, /, scope="reports:read", **fields):
        return self.oauth.authorize(http_client or self.client, scope=scope, **fields)

    # The middleware

    def test_the_middleware_is_that_of_the_setting(self):
        self.assertIsInstance(application, OAuthMiddleware)
        self.assertIs(self.oauth.middleware, application)

    def test_a_view_is_called_with_the_identity(self):
        response = self.authorize(client="nightly").get("/reports")

        self.assertContains(response, "reports for nightly")

    def test_the_environ_has_the_tokens_attributes_and_nothing_of_ours_beside(self):
        found = self.authorize(tenant="acme").get("/keys").json()

        self.assertEqual(found["attributes"], {"tenant": "acme"})
        ours = [key for key in found["keys"] if key.startswith("oauth_mw.")]
        self.assertEqual(ours, ["oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token"])

    def test_a_request_without_a_token_is_refused(self):
        response = self.oauth.set_token(self.client, None).get("/reports")

        self.assertContains(response, "A bearer access token is needed", status_code=401)
        self.assertEqual(response.headers["WWW-Authenticate"], 'Bearer realm="api", scope="reports:read"')

    def test_a_refusal_is_a_response_as_any_other(self):
        response = self.authorize(scope="reports:write").get("/reports")

        self.assertEqual((response.status_code, response.reason_phrase), (403, "Forbidden"))
        self.assertEqual(response.json()["error"], "insufficient_scope")
        self.assertEqual(response.resolver_match.url_name, "reports")
        self.assertEqual(response.wsgi_request.path, "/reports")
        self.assertIsNone(response.context)

    def test_a_public_path_is_open(self):
        self.assertContains(self.oauth.set_token(self.client, None).get("/health"), "ok")

    def test_the_token_endpoint_answers(self):
        admin.add_client(self.oauth.store, "x", client_id="x", secret="7Kq2vX9mB4tR8wZ1nC5y", scope="reports:read")
        form = "grant_type=client_credentials", "application/x-www-form-urlencoded"
        headers = {"Authorization": "Basic eDo3S3Eydlg5bUI0dFI4d1oxbkM1eQ=="}
        self.oauth.set_token(self.client, None)

        token = self.client.post("/oauth/token", *form, headers=headers).json()["access_token"]

        self.assertContains(self.oauth.set_token(self.client, token).get("/reports"), "reports for x")

    def test_the_clock_lets_a_token_expire(self):
        self.authorize()
        self.oauth.clock.move(3602)

        self.assertEqual(self.client.get("/reports").status_code, 401)

    def test_the_last_token_is_sent(self):
        self.authorize(client="first")

        self.assertContains(self.authorize(client="second").get("/reports"), "reports for second")

    def test_a_header_of_the_request_is_sent_instead(self):
        other = self.oauth.token_for("reports:read", client="other")
        self.authorize()

        response = self.client.get("/reports", headers={"Authorization": f"Bearer {other}"})

        self.assertContains(response, "reports for other")

    def test_a_client_by_asgi_is_refused_with_the_reason(self):
        with self.assertRaisesMessage(TypeError, "by ASGI, where no WSGI middleware is: use django.test.Client"):
            self.authorize(AsyncClient())

    def test_all_other_routes_are_closed(self):
        assert_closed(public=["/health"])

    def test_an_open_route_is_named(self):
        with self.assertRaisesMessage(AssertionError, "/health answers GET /health without a token"):
            assert_closed()

    # What Django's client does beside

    def test_contexts_and_templates_are_kept(self):
        response = self.authorize().get("/page")

        self.assertTemplateUsed(response, "page.html")
        self.assertEqual(response.context["client_id"], "job")

    def test_a_login_and_its_session_are_kept(self):
        self.client.force_login(User.objects.create_user("ada"))
        self.authorize()

        self.assertContains(self.client.get("/user"), "ada 1")
        self.assertContains(self.client.get("/user"), "ada 2")

    def test_csrf_is_checked_where_the_client_says_so(self):
        strict = self.authorize(Client(enforce_csrf_checks=True), scope="reports:write")

        self.assertContains(strict.post("/reports"), "CSRF", status_code=403)
        self.assertContains(self.authorize(scope="reports:write").post("/reports"), "reports for job")

    def test_redirects_are_followed(self):
        response = self.authorize().get("/old", follow=True)

        self.assertRedirects(response, "/reports")
        self.assertContains(response, "reports for job")

    def test_a_stream_is_a_stream(self):
        response = self.authorize().get("/stream")

        self.assertTrue(response.streaming)
        self.assertEqual(b"".join(response.streaming_content), b"one two")

    def test_the_exception_of_a_view_is_raised(self):
        with self.assertRaisesMessage(ValueError, "in the view"):
            self.authorize().get("/fails")

    def test_the_exception_of_a_view_is_answered_where_the_client_says_so(self):
        with self.assertLogs("django.request"):
            response = self.authorize(Client(raise_request_exception=False)).get("/fails")

        self.assertEqual(response.status_code, 500)

    def test_a_head_has_no_body(self):
        response = self.authorize().head("/reports")

        self.assertEqual((response.status_code, response.content), (200, b""))
