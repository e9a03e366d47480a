"""The site before the move: Django REST framework with django-oauth-toolkit.

python before.py migrate
python before.py createapplication confidential client-credentials --name "Report job"
python before.py runserver
"""

from __future__ import annotations

import os
import secrets
import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "site.db")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "oauth2_provider"],
    OAUTH2_PROVIDER={"SCOPES": {"reports:read": "Read reports", "reports:write": "Write reports"}},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["oauth2_provider.contrib.rest_framework.OAuth2Authentication"],
        "DEFAULT_PERMISSION_CLASSES": ["oauth2_provider.contrib.rest_framework.TokenHasScope"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SECRET_KEY", secrets.token_urlsafe()),
    WSGI_APPLICATION=f"{__name__}.application",
)
django.setup()

from rest_framework.response import Response  # noqa: E402  # after the settings
from rest_framework.views import APIView  # noqa: E402


class Health(APIView):
    authentication_classes = permission_classes = []

    def get(self, request):
        return Response({"status": "ok"})


class Reports(APIView):
    @property
    def required_scopes(self):
        return ["reports:read" if self.request.method == "GET" else "reports:write"]

    def get(self, request):
        return Response({"reports for": request.auth.application.client_id})

    def post(self, request):
        return Response({"report filed by": request.auth.application.client_id}, status=201)


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("health", Health.as_view()),
    path("reports", Reports.as_view()),
]
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
