"""gunicorn with several workers on one store, and an access log that names the client.

gunicorn --config examples/servers/gunicorn.conf.py hello:app

With PROMETHEUS_MULTIPROC_DIR in the environment it also keeps the folder in which the workers count.
"""

from __future__ import annotations

import os
from typing import Any

bind = "127.0.0.1:8080"
workers = 4
# The app and the middleware are made once, before the workers are forked.
preload_app = True
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %({oauth_mw.client_id}e)s "%({oauth_mw.denied}e)s"'

folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if folder:
    os.makedirs(folder, exist_ok=True)


def on_starting(server: Any) -> None:
    """Remove what the workers of an earlier run have counted."""
    for name in os.listdir(folder) if folder else []:
        if name.endswith(".db"):
            os.remove(os.path.join(folder, name))


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a worker that has ended. Its counts stay."""
    if folder:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
