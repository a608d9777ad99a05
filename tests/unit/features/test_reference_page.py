from __future__ import annotations

import re
from pathlib import Path

from features.catalog import VIEWS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "features.md"
ROW = re.compile(r"^\| `(?P<name>[a-z0-9_]+)` \| (?P<unit>[a-z ]+) \| (?P<meaning>.+) \|$", re.MULTILINE)


def test_reference_page_says_what_the_code_says() -> None:
    listed = [m.groups() for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    assert listed == [(f.name, f.unit, f.meaning) for view, _ in VIEWS.values() for f in view.features]


def test_feature_names_are_unique_across_views() -> None:
    names = [c for view, _ in VIEWS.values() for c in view.columns]
    assert len(names) == len(set(names))
