"""Each fact of the package has one home."""

from __future__ import annotations

import configparser
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from oauth_mw import __version__

ROOT = Path(__file__).parent.parent


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_version_is_written_once():
    assert version("oauth_mw") == __version__
    assert setup_cfg()["metadata"]["version"] == "attr: oauth_mw.version.__version__"


def test_the_tools_settings_hold_no_metadata():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")).keys() == {"build-system", "tool"}


def test_typing_is_shipped():
    assert setup_cfg()["options.package_data"]["oauth_mw"] == "py.typed"
    assert (ROOT / "oauth_mw" / "py.typed").exists()


def test_paste_and_the_shell_find_us():
    found = {(each.group, each.name, each.value) for each in distribution("oauth_mw").entry_points}

    assert found == {
        ("console_scripts", "oauth-mw", "oauth_mw.cli:main"),
        ("paste.filter_factory", "main", "oauth_mw.paste:filter_factory"),
        ("paste.filter_app_factory", "main", "oauth_mw.paste:filter_app_factory"),
    }


def test_the_changelog_has_an_unreleased_section_or_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert "## Unreleased" in text or f"## {__version__}" in text
