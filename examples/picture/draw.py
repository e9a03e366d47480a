"""Draw oauth_mw.svg beside this file: where the middleware sits, and what a request meets.

python examples/picture/draw.py
"""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape


class Step(NamedTuple):
    """What the middleware finds in a request, in this order, and the answer; without a status, the app answers."""

    found: str
    example: str
    status: str = ""


STEPS = [
    Step("a path of its own", "POST /oauth/token", "200 a token"),
    Step("a public path", "public_paths"),
    Step("a path that can be read in two ways", "//reports, if there are rules", "400"),
    Step("no token", "no Authorization header", "401"),
    Step("a token that is not valid", "unknown, expired, revoked, other audience", "401"),
    Step("too little scope", "the first rule that fits: required_scopes", "403"),
    Step("none of these", "a valid token with the scope"),
]
KEYS = ["oauth_mw.client_id", "oauth_mw.scope", "oauth_mw.token"]

# The picture has a ground of its own, so that it can be read on any page.
STYLE = """
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 14px; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 12px; fill: #57606a }
.code { font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px }
.middle { text-anchor: middle }
.end { text-anchor: end }
.ground { fill: #ffffff }
.box { fill: #f6f8fa; stroke: #8c959f }
.ours { fill: #ddf4ff; stroke: #0969da }
.step { fill: #ffffff; stroke: #0969da }
.line { stroke: #57606a; stroke-width: 1.5; fill: none }
.tip { fill: #57606a }
.refused { stroke: #cf222e; stroke-width: 1.5 }
.refused-tip { fill: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.ground { fill: #0d1117 }
.box { fill: #161b22; stroke: #6e7681 }
.ours { fill: #0c2d6b; stroke: #58a6ff }
.step { fill: #0d1117; stroke: #58a6ff }
.line { stroke: #9198a1 }
.tip { fill: #9198a1 }
.refused { stroke: #ff7b72 }
.refused-tip { fill: #ff7b72 }
}
""".strip()

WIDTH, TOP, STEP_HEIGHT, GAP = 890, 74, 44, 10
CLIENT, OURS, APP = (20, 120), (250, 330), (740, 130)  # where each begins, and how wide it is


def box(x: int, y: int, width: int, height: int, kind: str = "box") -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" class="{kind}"/>'


def text(x: int, y: int, words: str, kind: str = "plain") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(words)}</text>'


def arrow(x: int, y: int, to: int, kind: str = "line", tip: str = "tip", *, down: bool = False) -> str:
    """A straight line with a tip: across, or ``down`` to the height ``to``."""
    back = -7 if to > (y if down else x) else 7
    if down:
        points, line = f"{x},{to} {x - 4},{to + back} {x + 4},{to + back}", f'x2="{x}" y2="{to}"'
    else:
        points, line = f"{to},{y} {to + back},{y - 4} {to + back},{y + 4}", f'x2="{to}" y2="{y}"'
    return f'<line x1="{x}" y1="{y}" {line} class="{kind}"/><polygon points="{points}" class="{tip}"/>'


def steps() -> list[str]:
    """The steps, one below the other, with what leaves each: to the client on the left, or to the app on the right."""
    x, width = OURS[0] + 20, OURS[1] - 40
    parts = []
    for number, step in enumerate(STEPS):
        y = TOP + 50 + number * (STEP_HEIGHT + GAP)
        middle = y + STEP_HEIGHT // 2
        parts += [box(x, y, width, STEP_HEIGHT, "step"), text(x + 12, y + 18, step.found)]
        parts.append(text(x + 12, y + 36, step.example, "small"))
        if number:
            parts.append(arrow(x + width // 2, y - GAP, y, down=True))
        if not step.status:
            parts.append(arrow(x + width, middle, APP[0]))
        elif number:
            parts.append(arrow(x, middle, CLIENT[0] + CLIENT[1], "refused", "refused-tip"))
        else:
            parts.append(arrow(x, middle, CLIENT[0] + CLIENT[1]))
        if step.status:
            parts.append(text(CLIENT[0] + CLIENT[1] + 14, middle - 6, step.status))
    return parts


def picture() -> str:
    bottom = TOP + 50 + len(STEPS) * (STEP_HEIGHT + GAP) + 8
    height, store = bottom + 110, bottom + 34
    last = bottom - GAP - STEP_HEIGHT // 2 - 8
    parts = [
        box(0, 0, WIDTH, height, "ground"),
        text(CLIENT[0], 30, "In each process of your server, OAuthMiddleware stands before your app", "title"),
        text(CLIENT[0], 52, "Each request meets these steps from the top down. The first that fits decides.", "small"),
        box(CLIENT[0], TOP, CLIENT[1], bottom - TOP),
        text(CLIENT[0] + CLIENT[1] // 2, TOP + 26, "a client", "title middle"),
        text(CLIENT[0] + CLIENT[1] // 2, TOP + 44, "a job, a service", "small middle"),
        box(OURS[0], TOP, OURS[1], bottom - TOP, "ours"),
        text(OURS[0] + OURS[1] // 2, TOP + 26, "OAuthMiddleware", "title middle"),
        arrow(CLIENT[0] + CLIENT[1], TOP + 22, OURS[0]),
        text(CLIENT[0] + CLIENT[1] + 14, TOP + 16, "a request"),
        box(APP[0], TOP, APP[1], bottom - TOP),
        text(APP[0] + APP[1] // 2, TOP + 26, "your app", "title middle"),
        text(APP[0] + APP[1] // 2, TOP + 44, "unchanged", "small middle"),
        *steps(),
        *(
            text(OURS[0] + OURS[1] + 12, last - 58 + 16 * n, key, "code")
            for n, key in enumerate(["the environ has", *KEYS])
        ),
        box(OURS[0], store, OURS[1], 54),
        text(OURS[0] + OURS[1] // 2, store + 22, "the store: clients, tokens, revocations", "title middle"),
        text(OURS[0] + OURS[1] // 2, store + 42, "an SQLite file, PostgreSQL or Redis", "small middle"),
        arrow(OURS[0] + OURS[1] // 2, bottom, store, down=True),
        text(
            OURS[0] + OURS[1] // 2 + 12,
            bottom + 22,
            "The first check of a token reads it. Later ones read memory.",
            "small",
        ),
        text(OURS[0] + OURS[1] // 2 - 12, bottom + 22, "No answer: 503.", "small end"),
        box(CLIENT[0], store, CLIENT[1], 54),
        text(CLIENT[0] + CLIENT[1] // 2, store + 22, "oauth-mw", "code middle"),
        text(CLIENT[0] + CLIENT[1] // 2, store + 42, "command line", "small middle"),
        arrow(CLIENT[0] + CLIENT[1], store + 27, OURS[0]),
        box(APP[0], store, APP[1], 54),
        text(APP[0] + APP[1] // 2, store + 22, "other workers", "middle"),
        text(APP[0] + APP[1] // 2, store + 42, "like this one", "small middle"),
        arrow(APP[0], store + 27, OURS[0] + OURS[1]),
    ]
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>Where oauth_mw sits, and what a request meets</title>"
    return "\n".join([head, title, f"<style>\n{STYLE}\n</style>", *parts, "</svg>\n"])


if __name__ == "__main__":
    print(picture(), end="")
