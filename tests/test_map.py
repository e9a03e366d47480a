"""The map in the repository names what is there, and all rooms."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oauth_mw"
TEXT = (PACKAGE / "README.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`((?:[\w/]+/)?[\w]+\.py|[\w/]+/)`", TEXT)


UNNAMED = {
    f"{name}.py" for name in "__init__ __main__ version processes deadlines threads urls texts permissions".split()
}


def test_every_file_and_folder_that_the_map_names_is_there():
    places = [PACKAGE, PACKAGE / "tokens", PACKAGE / "keys", PACKAGE / "cli", PACKAGE / "stores", ROOT]

    assert len(NAMED) > 50
    assert [name for name in NAMED if not any((place / name).exists() for place in places)] == []


def test_every_room_is_on_the_map():
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")
    }

    assert {room for room in rooms if not room.startswith("__pycache__")} - UNNAMED <= {*NAMED}
