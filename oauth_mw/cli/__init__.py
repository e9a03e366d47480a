"""``oauth-mw``: the root of the command line, and its exit codes."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click
from click.exceptions import Exit

from ..errors import AdminError, ConfigError, NotFound, StoreUnavailable
from ..version import __version__
from .check import check
from .client import client
from .key import key
from .secret import secret
from .serve import serve
from .store import store as store_command
from .target import Target, set_option
from .token import purge, token

REFUSED, MISCONFIGURED, NOT_FOUND, UNAVAILABLE = 1, 2, 3, 4


class Root(click.Group):
    """Turns the error of a command into one line per fault on standard error, and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            code, messages = MISCONFIGURED, [f"{name}: {fault}" for name, fault in error.faults]
        except StoreUnavailable as error:
            code, messages = UNAVAILABLE, [f"the store does not answer: {error.reason}"]
        except UnicodeEncodeError:
            code, messages = MISCONFIGURED, ["an argument is not UTF-8"]
        except (AdminError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            code, messages = NOT_FOUND if isinstance(error, NotFound) else REFUSED, [str(error)]
        for message in messages:
            click.echo("Error: " + " ".join(message.split()), err=True)
        raise Exit(code)


@click.group(cls=Root)
@click.option(
    "--store", metavar="URL", envvar="OAUTH_MW_STORE", show_envvar=True, help="The store, such as sqlite:///oauth.db."
)
@click.option("--config", metavar="INI[#NAME]", help="Read store and options from this Paste ini.")
@set_option
@click.version_option(__version__, message="oauth_mw %(version)s")
@click.pass_context
def main(context: click.Context, store: str | None, config: str | None, variables: dict[str, str]) -> None:
    """Register clients, revoke tokens, change keys, and check configurations of oauth_mw.

    The store is --store, else that of --config (the section of its filter; NAME chooses one of several), else
    OAUTH_MW_STORE. A relative file is relative to the working directory, in an ini to the folder of the ini.
    Only `client add`, `serve` and `store copy` (its target) create a store that is missing.

    \b
    Exit codes:
      0  done
      1  refused: not possible, or not confirmed
      2  wrong usage or configuration, or a missing store
      3  no such client, secret, token or key
      4  the store does not answer
    """
    if sys.stdin is None:  # the parent process closed it: treat it as empty
        sys.stdin = open(os.devnull)
    typed = context.get_parameter_source("store") is click.core.ParameterSource.COMMANDLINE
    context.obj = Target(store if typed else None, config, None if typed else store, variables)


for command in (client, secret, token, key, store_command, purge, check, serve):
    main.add_command(command)
