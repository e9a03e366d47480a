"""Put three faults in the way of an app, one after the other, and show what the doctor finds.

python examples/doctor/planted.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Thread

from waitress import create_server
from werkzeug import Response

from oauth_mw import OAuthMiddleware

guarded = OAuthMiddleware(Response("hello\n"), store="memory://")


def dropping(environ, start_response):
    """What stands before the app passes no ``Authorization``."""
    environ.pop("HTTP_AUTHORIZATION", None)
    return guarded(environ, start_response)


def logging_in(environ, start_response):
    """What stands before the app sends requests without a session to a page for people."""
    return Response(status=302, headers={"Location": "/login"})(environ, start_response)


def caching(environ, start_response):
    """What stands before the app lets all answers be stored."""

    def stored(status, headers, exc_info=None):
        kept = [(name, value) for name, value in headers if name.lower() not in ("cache-control", "pragma")]
        return start_response(status, [*kept, ("Cache-Control", "public, max-age=300")], exc_info)

    return guarded(environ, stored)


def examined(app):
    """What the doctor finds in an app that is served."""
    server = create_server(app, host="127.0.0.1", port=0)
    Thread(target=server.run, daemon=True).start()
    command = [sys.executable, "-m", "oauth_mw", "doctor", f"http://127.0.0.1:{server.effective_port}", "--json"]
    answer = subprocess.run([*command, "--path", "/reports"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = json.loads(answer.stdout)["findings"]
    return dict.fromkeys(each["fault"] for each in found if each["verdict"] in ("certain", "likely"))


for app in guarded, dropping, logging_in, caching:
    print(f"{getattr(app, '__name__', 'as it is')}:", *examined(app) or ["no faults"], sep="\n  ")
