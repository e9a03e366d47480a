"""Servers of greenlets end at a signal, whatever the middleware has started in them."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest
from hosting import SECRETS, prepare_store
from wire import GRANT_BODY, Wire, bearer, get, token_request

from helpers.support import echo, issue
from helpers.wsgi_client import CheckedApp
from oauth_mw import OAuthMiddleware

pytestmark = pytest.mark.slow

AT_ONCE_SECONDS = 5  # an idle worker takes half a second; one that gets no signals is killed after thirty


@pytest.mark.parametrize("places", ["postgres", "redis"])
def test_a_server_whose_first_requests_came_at_once_ends_at_a_signal(start, places, request):
    with request.getfixturevalue(places).fresh() as url, ExitStack() as stack:
        prepare_store(url)
        token = issue(CheckedApp(OAuthMiddleware(echo, store=url)), "alpha", SECRETS["alpha"])
        server = start("gunicorn-gevent", store=url)
        server.confidential.add(token)
        (worker,) = server.workers()
        connections = [stack.enter_context(Wire(server)) for _ in range(8)]
        os.kill(worker, signal.SIGSTOP)
        for first, second in zip(connections[::2], connections[1::2], strict=True):
            first.send(token_request(f"Content-Length: {len(GRANT_BODY)}"))
            second.send(get("/whoami", f"Authorization: {bearer(token)['Authorization']}"))
        os.kill(worker, signal.SIGCONT)
        answers = [connection.answer() for connection in connections]
        server.process.terminate()

        assert server.process.wait(AT_ONCE_SECONDS) == 0
        assert [answer.status for answer in answers if answer] == [200] * 8
