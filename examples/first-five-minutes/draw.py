"""Draw recording.txt as a terminal: print it as SVG, in which the commands appear one after the other.

python examples/first-five-minutes/draw.py > examples/first-five-minutes/recording.svg
"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from xml.sax.saxutils import escape

RECORDING = Path(__file__).with_name("recording.txt")
COLUMNS, LINE_HEIGHT, MARGIN, WIDTH = 100, 18, 20, 840
SECONDS = 1.5  # from one command to the next

# Dark as terminals are, on a ground of its own, so that it can be read on any page.
STYLE = """
text { font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 13px; fill: #c9d1d9 }
.comment { fill: #8b949e }
.command { fill: #7ee787 }
.part { animation: appear 0.3s backwards }
@keyframes appear { from { opacity: 0 } }
@media (prefers-reduced-motion: reduce) { .part { animation: none } }
""".strip()


def lines(text: str) -> list[str]:
    """A line of the recording, in as many lines as the terminal needs."""
    return wrap(text, COLUMNS, subsequent_indent="    ", break_on_hyphens=False) or [""]


def kind(text: str) -> str:
    return {"#": "comment", "$": "command"}.get(text[:1], "output")


def drawing(recording: str) -> str:
    y, number, parts = MARGIN, 0, ["<g>"]
    for text in recording.splitlines():
        if kind(text) == "command":
            number += 1
            parts += ["</g>", f'<g class="part" style="animation-delay: {number * SECONDS}s">']
        for each in lines(text):
            y += LINE_HEIGHT
            parts.append(f'<text x="{MARGIN}" y="{y}" class="{kind(text)}">{escape(each)}</text>')
    height = y + MARGIN
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" xml:space="preserve">',
        "<title>The first five minutes with oauth_mw</title>",
        f"<style>\n{STYLE}\n</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#161b22" stroke="#6e7681"/>',
    ]
    return "\n".join([*head, *parts, "</g>", "</svg>\n"])


if __name__ == "__main__":
    print(drawing(RECORDING.read_text(encoding="utf-8")), end="")
