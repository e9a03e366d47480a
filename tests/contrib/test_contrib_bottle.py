"""``require_scope`` in Bottle: what a plugin reads of a view."""

from __future__ import annotations

import inspect

from helpers.guarded_apps import guarded_bottle


def test_a_plugin_sees_the_arguments_of_the_view():
    assert inspect.getfullargspec(guarded_bottle(lambda name, db: None)).args == ["name", "db"]
