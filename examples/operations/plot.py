"""Draw run.svg beside this file from run.json, which run.py prints: a minute under load, with an outage of the store.

python examples/operations/plot.py > examples/operations/run.svg
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

RUN = Path(__file__).with_name("run.json")
WINDOW = 3  # scrapes over which rates are computed: the workers' counts are up to a second old

WIDTH, LEFT, RIGHT, TOP, HEIGHT, GAP = 860, 60, 200, 84, 120, 44
STYLE = """
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #57606a }
.title { font-size: 14px; font-weight: 600; fill: #1f2328 }
.end { text-anchor: end }
.middle { text-anchor: middle }
.ground { fill: #ffffff }
.panel { fill: #f6f8fa; stroke: #d0d7de }
.away { fill: #ffebe9 }
.grid { stroke: #d0d7de }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round }
.green { stroke: #1a7f37 } text.green { fill: #1a7f37; stroke: none }
.orange { stroke: #bc4c00 } text.orange { fill: #bc4c00; stroke: none }
.red { stroke: #cf222e } text.red { fill: #cf222e; stroke: none }
.blue { stroke: #0969da } text.blue { fill: #0969da; stroke: none }
@media (prefers-color-scheme: dark) {
text { fill: #9198a1 }
.title { fill: #e6edf3 }
.ground { fill: #0d1117 }
.panel { fill: #161b22; stroke: #3d444d }
.away { fill: #3c1618 }
.grid { stroke: #3d444d }
.green { stroke: #3fb950 } text.green { fill: #3fb950 }
.orange { stroke: #f0883e } text.orange { fill: #f0883e }
.red { stroke: #ff7b72 } text.red { fill: #ff7b72 }
.blue { stroke: #58a6ff } text.blue { fill: #58a6ff }
}
""".strip()


class Curve(NamedTuple):
    """A series of the run: its rate per second, or its value as it is."""

    series: str
    label: str
    colour: str
    is_rate: bool = True


PANELS = {
    "requests per second": [
        Curve("accepted", "accepted", "green"),
        Curve("refused", "refused: revoked tokens", "orange"),
        Curve("unavailable", "answered 503", "red"),
    ],
    "tokens per second": [Curve("issued", "issued", "blue"), Curve("revoked", "revoked", "orange")],
    "seconds behind the revocation log": [Curve("behind", "the slowest worker", "red", is_rate=False)],
}


def values(samples: list[dict[str, float]], curve: Curve) -> list[tuple[float, float]]:
    """The points of a curve: seconds since the begin, and the value."""
    if not curve.is_rate:
        return [(each["t"], each[curve.series]) for each in samples]
    return [
        (after["t"], max(after[curve.series] - before[curve.series], 0.0) / (after["t"] - before["t"]))
        for before, after in zip(samples, samples[WINDOW:], strict=False)
    ]


def ceiling(value: float) -> float:
    """A round number above the value, for the top of an axis."""
    return next(top for top in (1, 2, 5, 8, 10, 20, 25, 40, 50, 100, 200, 500, 1000, 10_000) if top >= value)


def text(x: float, y: float, words: str, kind: str = "plain") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" class="grid"/>'


class Plot:
    """Panels one below the other, with the same time from left to right."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run
        self.samples = run["samples"]
        self.seconds = ceiling_of_time(self.samples[-1]["t"])

    def x(self, seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * seconds / self.seconds, 1)

    def panel(self, number: int, title: str, curves: list[Curve]) -> list[str]:
        top = TOP + number * (HEIGHT + GAP)
        bottom, (begin, end) = top + HEIGHT, self.run["outage"]
        points = {curve: values(self.samples, curve) for curve in curves}
        highest = ceiling(max(value for each in points.values() for _, value in each))
        left, away = self.x(begin), self.x(end) - self.x(begin)
        parts = [
            text(LEFT, top - 8, title, "title"),
            f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT}" class="panel"/>',
            f'<rect x="{left:g}" y="{top}" width="{away:g}" height="{HEIGHT}" class="away"/>',
            *(text(LEFT - 8, y + 4, f"{value:g}", "end") for y, value in ((bottom, 0), (top, highest))),
            line(LEFT, (top + bottom) / 2, WIDTH - RIGHT, (top + bottom) / 2),
        ]
        for place, (curve, found) in enumerate(points.items()):
            path = " ".join(f"{self.x(t):g},{bottom - HEIGHT * value / highest:.1f}" for t, value in found)
            parts.append(f'<polyline points="{path}" class="curve {curve.colour}"/>')
            parts.append(text(WIDTH - RIGHT + 12, top + 16 + 18 * place, curve.label, curve.colour))
        return parts

    def picture(self) -> str:
        height = TOP + len(PANELS) * (HEIGHT + GAP)
        begin, end = self.run["outage"]
        last = height - GAP
        outage = f"away from {begin:.0f} s to {end:.0f} s; outage_grace_seconds is {self.run['grace']}"
        parts = [
            f'<rect width="{WIDTH}" height="{height}" class="ground"/>',
            text(LEFT, 28, "Two workers of gunicorn under load, and their SQLite store is away for a while", "title"),
            text(LEFT, 50, outage),
        ]
        for number, (title, curves) in enumerate(PANELS.items()):
            parts += self.panel(number, title, curves)
        for seconds in range(0, int(self.seconds) + 1, 10):
            parts.append(text(self.x(seconds), last + 18, f"{seconds} s", "middle"))
        size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        name = "<title>Requests, tokens and the revocation log during an outage and after it</title>"
        return "\n".join([head, name, f"<style>\n{STYLE}\n</style>", *parts, "</svg>\n"])


def ceiling_of_time(seconds: float) -> float:
    return 10.0 * -(-seconds // 10)


def picture() -> str:
    return Plot(json.loads(RUN.read_text(encoding="utf-8"))).picture()


if __name__ == "__main__":
    print(picture(), end="")
