"""What a start checks before any part is built. The command line checks the same, without the parts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .apps import called_by, check_app
from .auditor import load_on_event
from .config import Settings, read_options
from .errors import ConfigError, Faults, StoreMissing, StoreUnavailable
from .hooks import check_hooks
from .keys import file_keys
from .metrics import check_metrics
from .on_refusal import load_hook
from .stores import open_store, sqlite_file
from .stores.sql.sqlite.files import check_folder


def check_options(options: Mapping[str, object], faults: Faults, app: object = None) -> Settings:
    """Convert and check the options, without creating a store. Raise ``ConfigError`` with all ``faults``.

    :param app: what is wrapped, if that is known.
    """
    settings = read_options(options, faults)
    with faults:
        check_app(app)
    with faults:
        _check_wrapped_once(app, settings)
    check_metrics(settings, faults)
    if faults.none_for("signing_key_files", "key_encryption_secret"):
        with faults:
            file_keys(settings)
    with faults:
        load_hook(settings.on_refusal)
    with faults:
        load_on_event(settings.on_event)
    check_hooks(settings.on_issue, settings.on_lifetime, faults)
    if faults and faults.none_for("store", "store_timeout_seconds"):
        with faults:
            _check_store(settings)
    faults.raise_all()
    return settings


def _check_wrapped_once(app: object, settings: Settings) -> None:
    """Raise ``ConfigError`` if the app is a middleware whose token endpoint this one would hide."""
    inner = getattr(getattr(called_by(app), "parts", None), "settings", None)
    if isinstance(inner, Settings) and (both := [path for path in settings.token_path if path in inner.token_path]):
        raise ConfigError(
            "token_path",
            f"an OAuthMiddleware with this one, {both[0]}, is around the app already: wrap it once, or choose another",
        )


def _check_store(settings: Settings) -> None:
    """Raise ``ConfigError`` if no store can be opened or created at the URL."""
    if isinstance(settings.store, str):
        try:
            open_store(settings.store, timeout=settings.store_timeout_seconds).close()
        except StoreUnavailable:
            pass  # an outage does not prevent a start
        except StoreMissing:
            if file := sqlite_file(settings.store):
                check_folder(os.path.dirname(file))
