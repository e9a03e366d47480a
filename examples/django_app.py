"""A one-file Django project behind OAuthMiddleware: a public path, one for any client, and one with scope rules.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/django_app.py
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variables STORE (default: sqlite:///oauth.db) and PORT (8080) change where it keeps and serves.
"""

from __future__ import annotations

import os
import secrets

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from waitress import serve

from oauth_mw import OAuthMiddleware

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_urlsafe(),
)


def health(request):
    return HttpResponse("ok\n")


def hello(request):
    return HttpResponse(f"hello {request.META['oauth_mw.client_id']}, you may {request.META['oauth_mw.scope']}\n")


@csrf_exempt  # a bearer token does not travel by itself, as a cookie does
def reports(request):
    client_id = request.META["oauth_mw.client_id"]
    if request.method == "POST":
        return HttpResponse(f"report filed by {client_id}\n", status=201)
    return HttpResponse(f"reports for {client_id}\n")


urlpatterns = [path("health", health), path("", hello), path("reports", reports)]
application = OAuthMiddleware(
    get_wsgi_application(),
    store=os.environ.get("STORE", "sqlite:///oauth.db"),
    public_paths=["/health"],
    required_scopes=[("GET", "/reports/*", "reports:read"), ("POST", "/reports/*", "reports:write")],
)

if __name__ == "__main__":
    serve(application, host="127.0.0.1", port=os.environ.get("PORT", "8080"))
