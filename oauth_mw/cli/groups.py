"""Groups of commands."""

from __future__ import annotations

from typing import Any, ClassVar

import click

from .examples import examples
from .target import AFTER


class Remote(click.Command):
    """A command that works on a deployment at a URL, and on no store."""


class Group(click.Group):
    """A group whose commands, and their commands, take ``--store``, ``--config`` and ``--set``, and show examples.

    Commands that are :class:`Remote` take none of these options.
    """

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        command = super().get_command(context, name)
        if command:
            command.epilog = examples(f"{self.name} {name}".removeprefix("main "))
            present = {each.name for each in (*command.params, *(AFTER if isinstance(command, Remote) else ()))}
            command.params += [each for each in AFTER if each.name not in present]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. click's own hints miss those that are not imported yet, and old versions have none."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, known, 1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


class Verbatim(click.Command):
    """A command whose arguments may begin with a dash. It takes ``-h`` alone: click would find it inside of them."""

    SETTINGS: ClassVar[dict[str, Any]] = {"ignore_unknown_options": True}

    def get_help_option_names(self, context: click.Context) -> list[str]:
        return ["--help"]

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(context, ["--help" if each == "-h" else each for each in args])
