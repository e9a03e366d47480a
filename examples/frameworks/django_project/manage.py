"""A Django project with Django REST framework behind OAuthMiddleware.

    oauth-mw --store sqlite:///oauth.db client add "Report job" --scope reports:read
    python examples/frameworks/django_project/manage.py runserver 8080
    curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
    curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports

The environment variable STORE (default: sqlite:///oauth.db) says where it keeps clients and tokens. People log in at
/admin/, after `manage.py migrate` and `manage.py createsuperuser`.
"""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    execute_from_command_line(sys.argv)
