"""The shape of the code: files and functions stay small. Layers and circles are import-linter's, see pyproject.toml."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oauth_mw"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py"))]


def test_a_file_of_more_than_400_lines_is_one_subject():
    """One that is longer may be two: split it by subject, never by length alone, or name it here with the reason."""
    assert [str(path.relative_to(ROOT)) for path in ALL if len(path.read_text("utf-8").splitlines()) > 400] == []


def test_a_function_fits_a_screen():
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
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
