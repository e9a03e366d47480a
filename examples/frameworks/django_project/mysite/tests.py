"""Run by ``manage.py test``. ``sandbox()`` finds the middleware by WSGI_APPLICATION."""

from __future__ import annotations

from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import Client, RequestFactory, SimpleTestCase, TestCase
from rest_framework.test import APISimpleTestCase

from oauth_mw.testing import assert_closed, environ_keys, make_token, sandbox

from . import views
from .asgi import application as asgi_application


class ViewAloneTest(SimpleTestCase):
    """Without the middleware: the request has the keys of one that was accepted."""

    def test_the_audit_needs_its_scope(self):
        requests = [RequestFactory().get("/audit", **environ_keys(make_token(scope))) for scope in ("audit", "other")]

        self.assertEqual([views.audit(request).status_code for request in requests], [200, 403])


class ViewsTest(SimpleTestCase):
    client_class = staticmethod(lambda: Client(enforce_csrf_checks=True))

    def setUp(self):
        self.oauth = self.enterContext(sandbox())

    def test_a_job_is_greeted(self):
        self.oauth.authorize(self.client, client="job")

        self.assertContains(self.client.get("/"), "hello job")

    def test_a_token_expires(self):
        self.oauth.authorize(self.client)
        self.oauth.clock.move(2 * 3600)

        self.assertEqual(self.client.get("/").status_code, 401)

    def test_the_audit_needs_its_scope(self):
        self.assertEqual(self.oauth.authorize(self.client).get("/audit").status_code, 403)
        self.assertEqual(self.oauth.authorize(self.client, "audit").get("/audit").status_code, 200)

    def test_a_post_needs_no_csrf_token(self):
        self.assertEqual(self.oauth.authorize(self.client).post("/notes").status_code, 201)

    def test_only_the_health_check_and_the_admin_are_open(self):
        assert_closed(public=["/health", "/admin/*"])


class AdminTest(TestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox())
        self.oauth.set_token(self.client, None)
        self.client.force_login(User.objects.create_superuser("ada"))

    def test_a_person_who_has_logged_in_needs_no_token(self):
        self.assertContains(self.client.get("/admin/"), "ada")

    def test_a_session_is_no_token(self):
        self.assertEqual(self.client.get("/reports").status_code, 401)


class ReportsTest(APISimpleTestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox())

    def test_the_client_is_the_user(self):
        self.oauth.authorize(self.client, scope="reports:read", client="job")

        self.assertEqual(self.client.get("/reports").data, {"reports": [], "client": "job", "scope": "reports:read"})

    def test_a_reader_files_no_report(self):
        reader = self.oauth.authorize(self.client, scope="reports:read")

        self.assertEqual(reader.post("/reports", {"title": "Q3"}, format="json").status_code, 403)

    def test_a_writer_files_a_report(self):
        writer = self.oauth.authorize(self.client, scope="reports:write", client="job")

        self.assertEqual(writer.post("/reports", {"title": "Q3"}).data, {"filed": "Q3", "client": "job"})


class AsgiTest(SimpleTestCase):
    async def test_asgi_servers_serve_it_behind_the_middleware(self):
        scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/notes", "query_string": b""}
        request = ApplicationCommunicator(asgi_application, {**scope, "headers": [], "server": ("127.0.0.1", 80)})

        with sandbox():
            await request.send_input({"type": "http.request"})
            answer = await request.receive_output()
            await request.wait()

        self.assertEqual(answer["status"], 401)
