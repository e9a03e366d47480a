"""The recording of the first five minutes is what the program shows now."""

from __future__ import annotations

import runpy
import shutil
from xml.etree import ElementTree

import pytest
from running_example import EXAMPLES

FOLDER = EXAMPLES / "first-five-minutes"
RECORDING = (FOLDER / "recording.txt").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
def test_every_command_shows_what_was_recorded():
    assert runpy.run_path(str(FOLDER / "record.py"))["record"]() == RECORDING


def test_the_picture_is_drawn_from_the_recording():
    drawn = runpy.run_path(str(FOLDER / "draw.py"))["drawing"](RECORDING)

    assert (FOLDER / "recording.svg").read_text(encoding="utf-8") == drawn
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
