"""The shape of the code: imports point down, files and functions stay small."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oauth_mw"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").glob("*.py"))]

# From the top down: a module imports only what stands below it, or in its own room.
ROOMS = [
    ["__init__"],
    ["__main__"],
    ["cli"],
    ["admin"],
    ["paste"],
    ["middleware"],
    ["assembly"],
    ["discovery"],
    ["challenge_app", "guard"],
    ["endpoints"],
    ["client_auth"],
    ["tokens"],
    ["keys"],
    ["stores"],
    ["config"],
    ["converters"],
    ["cherrypy"],
    ["rules", "environ", "http"],
    ["attributes", "credentials", "events", "resources", "scopes"],
    ["protocols"],
    ["model"],
    ["ambiguity", "deadlines", "errors", "permissions", "texts", "threads", "urls", "webob"],
    ["version"],
]
LEVEL = {name: level for level, room in enumerate(ROOMS) for name in room}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports."""
    depth = len(path.relative_to(PACKAGE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {name.partition(".")[0] for name in names}
    return found


def test_every_module_has_its_room():
    assert {room_of(path) for path in SOURCES} == LEVEL.keys()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path):
    room = room_of(path)
    upward = {name for name in imported(path) - {room} if LEVEL[name] <= LEVEL[room]}

    assert upward == set()


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_300_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_function_fits_a_screen(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 45
    ]

    assert long == []


def test_no_module_imports_the_package_by_its_name():
    named = [
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "oauth_mw" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] == "oauth_mw")
    ]

    assert named == []


def test_nothing_inherits_from_what_inherits():
    """Protocols, which have no code, and the error tree are another matter."""
    for path in SOURCES:
        if not path.stem.startswith("__"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "oauth_mw"]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    ours = {each for each in found if each.__module__.startswith("oauth_mw") and not issubclass(each, Exception)}
    deep = [
        each.__name__
        for each in ours
        if sum(base in ours and not getattr(base, "_is_protocol", False) for base in each.__mro__) > 2
    ]

    assert len(ours) > 20 and deep == []


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'sqlalchemy', 'sqlite3', 'click', 'cryptography', 'joserfc', 'redis', 'psycopg'}"
    code = f"import sys, oauth_mw; print(sorted({heavy} & set(sys.modules)))"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
