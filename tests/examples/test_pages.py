"""The README and the pages under ``examples/``: every block of code is run, parsed, or counted."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack

import pytest

from helpers.page_runner import PageRunner
from helpers.pages import PAGES, ROOT, Fence, fences, read

FENCES = [fence for page in PAGES for fence in fences(page)]
MOST_SHOWN = 21


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OAUTH_MW_STORE", raising=False)
    with ExitStack() as stack:
        yield PageRunner(tmp_path, monkeypatch, stack)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page, runner):
    if "$ curl" in read(page) and not shutil.which("curl"):
        pytest.skip("needs curl")
    for fence in fences(page):
        if not fence.how and fence.language != "sql":  # tests/stores/postgresql/test_postgres_roles.py runs those
            runner.run(fence)


FAULTS = {
    "an exception": ("python", "1 / 0\n"),
    "a file that cannot be imported": ("python", "# broken.py\nimport no_such_module\n"),
    "a command that fails": ("console", "$ oauth-mw --store memory client list\n"),
    "a command that is not known": ("console", "$ make\n"),
    "other output": ("console", "$ oauth-mw --version\noauth-mw 0\n"),
    "an option that is not known": ("ini", "stoer = memory://\n"),
    "an extra that is not known": ("console", "$ pip install 'oauth_mw[none]'\n"),
    "a directive without an end": ("nginx", "location / { proxy_pass http://127.0.0.1 }\n"),
    "a section that is not closed": ("ini", "[loggers\nkeys = root\n"),
    "a table that is not closed": ("toml", "[clients\n"),
    "a language that nothing runs": ("cobol", "STOP RUN.\n"),
}


@pytest.mark.parametrize(("language", "text"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_block_fails_and_is_named(language, text, runner):
    with pytest.raises(BaseException) as failure:  # noqa: B017
        runner.run(Fence("page.md", 7, language, "", "", text))

    assert failure.value.__notes__ == ["in the block at page.md:7"]


def test_each_block_says_how_it_is_tested():
    assert [fence.place for fence in FENCES if not fence.language or fence.how not in ("", "servers", "shown")] == []
    assert [page for page in PAGES if read(page).count("```") != 2 * len(fences(page))] == []


def test_blocks_that_are_only_shown_are_few_and_have_a_reason():
    shown = [fence for fence in FENCES if fence.how == "shown"]

    assert [fence.place for fence in shown if not fence.reason] == []
    assert len(shown) <= MOST_SHOWN


def test_blocks_for_marked_tests_are_read_by_such_a_test():
    tests = [
        text for path in (ROOT / "tests").rglob("test_*.py") if "mark.servers" in (text := path.read_text("utf-8"))
    ]
    pages = {fence.page for fence in FENCES if fence.how == "servers"}

    assert [page for page in pages if not any(f'"{page}"' in text for text in tests)] == []


# Links

LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(page))]


def anchors(text):
    """Those that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), sorted(set(LINKS)))
def test_a_link_leads_to_a_file_and_a_heading(page, link):
    file, _, anchor = link.partition("#")
    target = (ROOT / page).parent / file if file else ROOT / page

    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def test_the_index_names_every_page():
    linked = {link.removesuffix("/README.md") for page, link in LINKS if page == "examples/README.md"}
    topics = {page.split("/")[1] for page in PAGES if page.startswith("examples/") and page != "examples/README.md"}

    assert topics - linked == set()


def test_a_page_stands_beside_a_program():
    assert [page for page in PAGES[1:] if not list((ROOT / page).parent.glob("*.py"))] == []


def test_the_readme_is_short():
    text = read("README.md")

    assert len(text.encode()) <= 16_000
    assert len(text.splitlines()) <= 300
