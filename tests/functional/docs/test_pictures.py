"""Pictures and names of pages in the documentation: present, drawn by `tests.pictures`, and true."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from serving.console.navigation import SECTIONS
from tests.conftest import REPOSITORY
from tests.pictures import CUT, LARGEST, TARGET

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<path>[^)\s]+)\)")
TUTORIAL = REPOSITORY / "docs" / "tutorial" / "console.md"
STORIES = REPOSITORY / "tests" / "functional" / "serving" / "test_console_stories.py"
TEMPLATES = REPOSITORY / "serving" / "console" / "templates"


def pictures() -> list[tuple[str, str, str]]:
    """(page, words, path from the repository's root) of every picture shown."""
    found = []
    for page in PAGES:
        for shown in PICTURE.finditer(page.read_text(encoding="utf-8")):
            path = (page.parent / shown["path"]).resolve()
            found.append((page.name, shown["words"], str(path.relative_to(REPOSITORY))))
    return found


@pytest.mark.parametrize(("page", "words", "path"), pictures())
def test_a_picture_that_a_page_shows_is_there_and_said_in_words(page: str, words: str, path: str) -> None:
    assert (REPOSITORY / path).is_file()
    assert len(words.split()) >= 2


def test_pictures_of_the_console_are_those_the_target_draws_and_pages_show() -> None:
    drawn = {f"console-{name}.png" for name in CUT}
    kept = {p.name for p in TARGET.glob("console-*.png")}
    shown = {path.rsplit("/", 1)[-1] for _, _, path in pictures() if "/console-" in path}
    assert kept == drawn == shown


@pytest.mark.parametrize("name", CUT)
def test_a_picture_is_taken_by_a_story_and_small(name: str) -> None:
    assert f'"{name}"' in STORIES.read_text(encoding="utf-8")
    path = TARGET / f"console-{name}.png"
    assert path.stat().st_size <= LARGEST
    with Image.open(path) as picture:
        assert picture.width == 1000
        assert picture.height >= 300


def named() -> list[str]:
    """What the tutorial calls by name, in bold: pages, links and buttons."""
    text = TUTORIAL.read_text(encoding="utf-8")
    found = re.findall(r"\*\*(.+?)\*\*", text, re.S)
    return [" ".join(part.split()).strip(" .…") for words in found for part in words.split("→")]


@pytest.mark.parametrize("name", named())
def test_what_the_tutorial_names_stands_on_a_page(name: str) -> None:
    menu = [item.title for _, items in SECTIONS for item in items]
    pages = [re.sub(r"\s+", " ", p.read_text(encoding="utf-8")) for p in sorted(TEMPLATES.glob("*.html"))]
    told = "\n".join([*menu, *pages]).casefold()
    assert name.casefold() in told, "the console says it otherwise: correct the tutorial"


def test_the_tutorial_names_something() -> None:
    assert {"Alerts", "Tier changes", "Does this work?"} <= set(named())
