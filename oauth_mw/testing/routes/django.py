"""The routes of a Django project: the patterns of its ``ROOT_URLCONF``, in each of its languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import conf  # type: ignore[import-untyped]
from django.urls import get_resolver  # type: ignore[import-untyped]
from django.utils.translation import override  # type: ignore[import-untyped]

from ..expressions import Expression, literal
from . import Found, Route


def routes(app: Any, mount: str) -> Iterator[Found]:
    found: dict[Found, None] = {}
    settings = conf.settings
    for language in {settings.LANGUAGE_CODE: None, **dict(settings.LANGUAGES)} if settings.USE_I18N else [None]:
        with override(language):
            found.update(dict.fromkeys(_below(get_resolver().url_patterns, f"{mount}/", (literal(f"{mount}/"),))))
    return iter(found)


def _below(patterns: Sequence[Any], name: str, before: tuple[Expression, ...]) -> Iterator[Route]:
    for each in patterns:
        named = name + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from _below(each.url_patterns, named, (*before, _beginning(each.pattern)))
        else:
            regex = each.pattern.regex.pattern
            whole = regex.endswith("$")  # which Django then matches with the whole path
            yield Route(named, None, (*before, Expression(regex, begins=whole, ends=whole)))


def _beginning(pattern: Any) -> Expression:
    """What an ``include()`` stands behind."""
    if hasattr(pattern, "language_prefix"):
        return literal(pattern.language_prefix)
    return Expression(pattern.regex.pattern, begins=False)
