"""The documentation's links lead somewhere, and its pictures can be drawn."""

import re
from pathlib import Path
from xml.dom import minidom

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_picture_can_be_drawn() -> None:
    picture = minidom.parse(str(ROOT / "docs" / "pipeline.svg"))
    assert picture.documentElement is not None
    assert picture.documentElement.tagName == "svg"


def test_every_decision_is_in_the_list() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs" / "decisions").glob("0*.md")}
    assert {name for name in pages if f"({name})" not in listed} == set()
