"""What daphne and uvicorn serve: the WSGI app, because Django's own ASGI app is not behind the middleware."""

from __future__ import annotations

from a2wsgi import WSGIMiddleware

from .wsgi import application as wsgi_application

application = WSGIMiddleware(wsgi_application)
