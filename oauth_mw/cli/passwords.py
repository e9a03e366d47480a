"""Passwords of store URLs from the environment or a prompt: other users can read a command line."""

from __future__ import annotations

import os
import re
import sys
from urllib.parse import quote

import click

from ..environment import PASSWORDS
from ..errors import ConfigError
from ..stores import has_password
from .terminal import read_credential


def completed(url: str, place: str, *, ask: bool) -> str:
    """Return the URL of FROM or TO with the password that is typed, or that its variable holds.

    :param ask: prompt for the password; without a terminal, the variable must hold it.
    :raises ConfigError: the URL has a password or cannot have one, but another is given.
    """
    option, variable = f"--{place.lower()}-password", PASSWORDS[place]
    held, has_terminal = os.environ.get(variable, ""), sys.stdin.isatty()
    if ask and not (held or has_terminal):
        raise click.UsageError(f"{option} needs a terminal: set {variable} instead.")
    if not (ask or held):
        return url
    if has_password(url):
        raise ConfigError(place, f"the URL has a password already: leave it out, or else {option} and {variable}")
    parts = re.fullmatch(r"([a-z+]+://)(?:([^/?@]*)@)?(.*)", url)
    if not parts or parts[1] in ("sqlite://", "memory://"):
        raise ConfigError(place, f"a store of this kind has no password: leave out {option} and {variable}")
    password = read_credential(sys.stdin.buffer, f"Password of {place}") if ask and has_terminal else held
    return f"{parts[1]}{parts[2] or ''}:{quote(password, safe='')}@{parts[3]}"
