"""The site after the move: Django REST framework with oauth_mw in front, under the same paths.

python after.py runserver
"""

from __future__ import annotations

import os
import secrets
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.urls import path

from oauth_mw import OAuthMiddleware

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "site.db")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["oauth_mw.contrib.drf.OAuthMWAuthentication"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", secrets.token_urlsafe()),
    WSGI_APPLICATION=f"{__name__}.application",
)
django.setup()

from rest_framework.response import Response  # noqa: E402  # after the settings
from rest_framework.views import APIView  # noqa: E402


class Health(APIView):
    def get(self, request):
        return Response({"status": "ok"})


class Reports(APIView):
    def get(self, request):
        return Response({"reports for": request.auth.client_id})

    def post(self, request):
        return Response({"report filed by": request.auth.client_id}, status=201)


urlpatterns = [path("health", Health.as_view()), path("reports", Reports.as_view())]
application = OAuthMiddleware(
    get_wsgi_application(),
    store=os.environ.get("OAUTH_MW_STORE", "sqlite:///oauth.db"),
    token_path="/o/token/",
    revocation_path="/o/revoke_token/",
    introspection_path="/o/introspect/",
    public_paths=["/health"],
    required_scopes=[("GET", "/reports", "reports:read"), ("POST", "/reports", "reports:write")],
    access_token_lifetime=36000,
)

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
