"""An API behind a proxy that wants a password in Authorization, and a client that sends what both want.

python examples/proxies/basic.py
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server

import requests
from werkzeug import Request, Response
from werkzeug.middleware.http_proxy import ProxyMiddleware

from oauth_mw import OAuthMiddleware, admin, open_store

HEADER = "X-Api-Token"
TESTER = ("tester", "of the staging area")

store = open_store("memory://")


@Request.application
def app(request):
    return Response(f"the app: hello {request.environ['oauth_mw.client_id']}")


api = OAuthMiddleware(app, store=store, authorization_header=HEADER)


def proxy_to(url):
    """Pass on all requests with the password, as they are."""
    passing = ProxyMiddleware(Response(), {"/api": {"target": url, "remove_prefix": True}})

    @Request.application
    def proxy(request):
        sent = request.authorization
        if sent and (sent.username, sent.password) == TESTER:
            return passing
        return Response("the proxy: a password is needed", 401, {"WWW-Authenticate": 'Basic realm="staging"'})

    return proxy


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def serving(application):
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def call(session, url):
    client, secret = admin.add_client(store, "Nightly report job", client_id="report-job")
    form = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": secret}

    print(session.get(f"{url}/reports").text)
    session.auth = TESTER
    print(session.get(f"{url}/reports").text)
    token = session.post(f"{url}/oauth/token", form).json()["access_token"]
    session.headers[HEADER] = f"Bearer {token}"
    print(session.get(f"{url}/reports").text)


if __name__ == "__main__":
    with serving(api) as behind, serving(proxy_to(behind)) as front, requests.Session() as session:
        session.trust_env = False
        call(session, f"{front}/api")
