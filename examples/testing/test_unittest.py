"""The same without pytest's fixtures."""

from __future__ import annotations

import unittest

from reports import app

from oauth_mw.testing import sandbox


class ReportsTest(unittest.TestCase):
    def setUp(self):
        self.oauth = self.enterContext(sandbox(app))

    def test_a_reader_may_not_write(self):
        client = self.oauth.authorize(app.test_client(), scope="reports:read")

        self.assertEqual(client.post("/reports").status_code, 403)
