"""``oauth-mw top``: watch a running deployment by its metrics."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from ..errors import AdminError, ConfigError
from .failures import DeploymentUnavailable
from .groups import Remote
from .scraping import Scraper, deployment_options, scraper

Wait = Callable[[float], bool]


@click.command(cls=Remote)
@deployment_options
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(0.2, 60),
    default=2.0,
    show_default=True,
    help="How often the metrics are fetched.",
)
def top(url: str, interval: float, **options: Any) -> None:
    """Watch a running deployment, by its metrics at URL.

    URL is that of the metrics path, such as https://api.example.com/metrics; /metrics if it has no path. Rates are
    those of the last 10 seconds. Several workers must be in prometheus-client's multiprocess mode; else each scrape
    shows one of them. The key q ends it. Without a terminal, use `oauth-mw report`.

    A secret or token is never an argument: other users could read it in the process list.
    """
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        raise ConfigError("top", "needs rich: pip install 'oauth_mw[top]'") from None

    deployment = scraper(url, **options)
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        raise AdminError("this is no terminal that can show a screen: use `oauth-mw report`")
    with suppress(KeyboardInterrupt), _keys() as ended:
        _watch(console, deployment, interval, ended)


def _watch(console: Any, deployment: Scraper, interval: float, ended: Wait) -> None:
    """Show figures until ``ended``. What fails at first is raised; later, an answer that is missing is waited for."""
    from rich.live import Live

    from .screen import Watched, drawn

    watched = Watched(deployment.url, [deployment.scrape()])
    with Live(drawn(watched, console.height), console=console, screen=True, auto_refresh=False) as live:
        while not ended(interval):
            try:
                watched = watched.after(deployment.scrape())
            except DeploymentUnavailable as error:
                watched = watched.missing(str(error))
            live.update(drawn(watched, console.height), refresh=True)


@contextmanager
def _keys() -> Iterator[Wait]:
    """A function that waits for some seconds, and returns true as soon as q is typed."""
    try:
        import termios
        import tty
    except ModuleNotFoundError:  # Windows: Ctrl-C ends it
        yield _sleep
        return
    if not sys.stdin.isatty():
        yield _sleep
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _typed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _typed(seconds: float) -> bool:
    import os
    import select

    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0] and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b""):
            return True
    return False
