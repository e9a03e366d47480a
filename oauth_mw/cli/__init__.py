"""``oauth-mw``: the root of the command line. A command is imported when it is called, so that help is quick."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click
from click.exceptions import Exit

from ..version import __version__
from .examples import examples
from .groups import Group
from .target import Target, audit_option, config_option, set_option, store_option

# The module of each command, and the first sentence of its help.
COMMANDS = {
    "check": ("check", "Validate a configuration exactly as the start does, and print what every path needs."),
    "client": ("client", "Register, show and change clients."),
    "doctor": ("doctor", "Find the usual faults of a running deployment at URL, each with its cure."),
    "explain": ("explain", "Say which rule decides a request, what it needs, and what would be answered."),
    "import": ("importing", "Make clients of what another server has of them."),
    "key": ("key", "List, rotate, import, retire and export signing keys."),
    "purge": ("token", "Remove all tokens that expired more than a minute ago."),
    "report": ("report", "Show what a running deployment counts, by its metrics at URL."),
    "secret": ("secret", "Add, list and revoke the secrets of clients."),
    "serve": ("serve", "Wrap a WSGI app and serve it, for development only: plain http, one process."),
    "store": (
        "store",
        "Show the contents of a store, copy it to another one, or upgrade one that an older version made.",
    ),
    "token": ("token", "List, inspect and revoke tokens."),
    "top": ("top", "Watch a running deployment, by its metrics at URL."),
}


class Root(Group):
    """Imports commands, and turns their errors into one line per fault on standard error, and an exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> Any:
        if args is None:
            # The process is the command's own. What it imports is no garbage, and to look through it takes a sixth of
            # the processor time.
            gc.set_threshold(100_000)
        return super().main(args, *rest, **named)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS and name not in self.commands:
            module, _ = COMMANDS[name]
            self.add_command(getattr(import_module(f".{module}", __name__), name + "_" * iskeyword(name)))
        return super().get_command(context, name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, Exit):
            raise
        except Exception as error:
            from .failures import answer

            known = answer(error)
            if known is None:
                raise
        code, messages = known
        from .terminal import coloured

        for message in messages:
            click.echo(coloured("Error: " + " ".join(message.split())), err=True)
        raise Exit(code)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]}, epilog=examples(""))
@store_option
@config_option
@set_option
@audit_option
@click.version_option(__version__, message="oauth_mw %(version)s")
@click.pass_context
def main(
    context: click.Context, store: str | None, config: str | None, variables: dict[str, str], audit_log: str | None
) -> None:
    """Register clients, revoke tokens, change keys, and check configurations of oauth_mw.

    The store is --store, else that of --config (the section of its filter, or the middleware in an app; NAME chooses
    one of several), else OAUTH_MW_STORE. These options may stand before or after the command. A relative file is
    relative to the working directory, in an ini to the folder of the ini. Only `client add`, `client apply`,
    `import`, `serve` and `store copy` (its target) create a store that is missing.

    \b
    Exit codes:
      0  done
      1  refused: not possible, or not confirmed
      2  wrong usage or configuration, or a missing store
      3  no such client, secret, token or key
      4  the store, or the deployment at a URL, does not answer
    """
    context.color = False if os.environ.get("NO_COLOR") else None  # click decides, by whether it writes to a terminal
    if sys.stdin is None:  # the parent process closed it: treat it as empty
        sys.stdin = open(os.devnull)
    typed = context.get_parameter_source("store") is click.core.ParameterSource.COMMANDLINE
    context.obj = Target(store if typed else None, config, None if typed else store, variables, audit_log)
