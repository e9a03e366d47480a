"""Each fact of the package has one home, and each of its rooms a place on the map."""

from __future__ import annotations

import configparser
import re
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from oauth_mw import __version__

ROOT = Path(__file__).parent.parent


SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def test_the_version_is_written_once():
    assert version("oauth_mw") == __version__
    assert SETUP["metadata"]["version"] == "attr: oauth_mw.version.__version__"


def test_the_tools_settings_hold_no_metadata():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")).keys() == {"build-system", "tool"}


def test_typing_and_the_map_are_shipped():
    files = SETUP["options.package_data"]["oauth_mw"].split(", ")

    assert files == ["py.typed", "README.md"]
    assert all((ROOT / "oauth_mw" / file).exists() for file in files)


def test_paste_and_the_shell_find_us():
    entries = distribution("oauth_mw").entry_points

    assert {(each.group, each.name, each.value) for each in entries} == {
        ("console_scripts", "oauth-mw", "oauth_mw.cli:main"),
        ("paste.filter_factory", "main", "oauth_mw.paste:filter_factory"),
        ("paste.filter_app_factory", "main", "oauth_mw.paste:filter_app_factory"),
    }
    assert all(callable(each.load()) for each in entries)


def test_the_quickstart_needs_flask_and_waitress_alone():
    needed = SETUP["options.extras_require"]["quickstart"].split()

    assert [re.split("[<>=]", each)[0] for each in needed] == ["Flask", "waitress"]


def test_the_changelog_begins_with_what_is_unreleased_or_this_version():
    headings = re.findall("^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0].split()[0] in ("Unreleased", __version__)


def test_the_classifiers_begin_with_the_python_that_is_required():
    claimed = re.findall(r"Python :: 3\.(\d+)$", SETUP["metadata"]["classifiers"], re.MULTILINE)

    assert claimed == [str(minor) for minor in range(int(claimed[0]), int(claimed[-1]) + 1)]
    assert SETUP["options"]["python_requires"] == f">=3.{claimed[0]}"


def test_there_is_no_second_place_for_metadata_or_settings():
    others = ("setup.py", "pytest.ini", "tox.ini", ".flake8", "mypy.ini", "ruff.toml", "MANIFEST.in", ".coveragerc")

    assert [name for name in others if (ROOT / name).exists()] == []
    parts = ("packages.find", "package_data", "extras_require", "entry_points")
    assert SETUP.sections() == ["metadata", "options", *(f"options.{part}" for part in parts)]


def test_the_license_is_there():
    assert SETUP["metadata"]["license"] == "MIT"
    assert (ROOT / SETUP["metadata"]["license_files"]).read_text(encoding="utf-8").startswith("MIT License")


# The map for contributors

PACKAGE = ROOT / "oauth_mw"
NAMED = re.findall(r"`((?:[\w/]+/)?[\w]+\.py|[\w/]+/)`", (PACKAGE / "README.md").read_text(encoding="utf-8"))
UNNAMED = {"__init__.py", "__main__.py", "version.py"}


def test_every_file_and_folder_that_the_map_names_is_there():
    rooms = ("admin", "tokens", "keys", "metrics", "cli", "stores", "testing")
    places = [PACKAGE, *(PACKAGE / room for room in rooms), ROOT]

    assert len(NAMED) > 50
    assert [name for name in NAMED if not any((place / name).exists() for place in places)] == []


def test_every_room_is_on_the_map():
    rooms = {path.name + "/" * path.is_dir() for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}

    assert rooms - {"__pycache__/"} - UNNAMED <= {*NAMED}
