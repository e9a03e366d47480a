"""Run by ``manage.py test``: a live server, called over HTTP."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.test import LiveServerTestCase

from oauth_mw.testing import sandbox


class LiveServerTest(LiveServerTestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox())

    def get(self, path, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with urlopen(Request(self.live_server_url + path, headers=headers)) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.status, error.headers["WWW-Authenticate"]

    def test_requests_carry_the_token(self):
        self.oauth.authorize(self, scope="reports:read", client="first")
        self.oauth.authorize(self, scope="reports:read", client="second")

        self.assertEqual(self.get("/reports"), (200, "reports for second"))

    def test_a_header_of_the_request_is_sent_instead(self):
        self.oauth.authorize(self, client="first")

        answer = self.get("/reports", self.oauth.token_for("reports:read", client="second"))

        self.assertEqual(answer, (200, "reports for second"))

    def test_a_request_without_a_token_is_refused(self):
        self.oauth.authorize(self, scope="reports:read")
        self.oauth.set_token(self, None)

        self.assertEqual(self.get("/reports"), (401, 'Bearer realm="api", scope="reports:read"'))
        self.assertEqual(self.get("/health"), (200, "ok"))

    def test_the_server_is_as_before_after_the_test(self):
        server = self.server_thread.httpd
        before = server.get_app()
        self.oauth.authorize(self, scope="reports:read")
        self.oauth.authorize(self, scope="reports:write")

        self.doCleanups()

        self.assertIs(server.get_app(), before)
