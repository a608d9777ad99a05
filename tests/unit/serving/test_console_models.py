"""The models pages: what a model sees now, and figures that are what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.lastknown import write_json
from tests.unit.serving.console_world import open_console_world, signed_in
from tests.unit.serving.world import World

PAGE = "/console/models/churn/drift"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = open_console_world(tmp_path)
    yield made
    made.runtime.stop()


def column(verdict: str = "steady", **changes: Any) -> dict[str, Any]:
    few = verdict == "not_enough"
    low, high = {"label": "below 3", "then": 0.5, "now": 0.9}, {"label": "3 or more", "then": 0.5, "now": 0.1}
    found = {
        "name": "login_count_30d", "label": "portal logins", "verdict": verdict, "n_then": 900, "n_now": 90,
        "psi": None if few else 0.31, "by_chance": None if few else 0.12, "missing_then": 0.0,
        "missing_now": 0.4, "bins": [] if few else [low, high], "new_levels": [],
    }  # fmt: skip
    return {**found, **changes}


def kept(world: World, *, score: str = "steady", advice: str = "Nothing to do.", version: int = 7) -> None:
    told = {
        "model": "churn", "version": version, "made_at": "2026-11-20T02:00:00Z", "since": "2026-11-01",
        "until": "2026-11-01", "entities": 120, "meaning": "rows the model learnt from, beside the newest",
        "score": column(score, name="score", label="the score itself"),
        "features": [column("shifted"), *[column(label=f"column {k}") for k in range(29)]],
        "slices": [
            {"column": "country", "level": "DE", **column()},
            {"column": "country", "level": "FR", **column("not_enough")},
        ],
        "advice": [advice],
    }  # fmt: skip
    write_json(world.workspace / "reports" / "churn" / "drift.json", told)


def test_before_the_first_comparison_the_page_says_how_to_make_one(world: World) -> None:
    text = signed_in(world, "recruiter").get(PAGE).text
    assert "Not compared yet" in text
    assert "partnerintel drift churn" in text


def test_the_page_says_what_moved_and_what_to_do(world: World) -> None:
    kept(world, advice="Look at the source of “portal logins”.")
    text = signed_in(world, "recruiter").get(PAGE).text
    assert "Look at the source of “portal logins”." in text
    assert "1 of 30" in text
    assert "900" in text
    assert 'class="note warn"' in text
    assert "Column 28" not in text
    assert "Column 28" in signed_in(world, "recruiter").get(f"{PAGE}?all=1").text


def test_few_rows_are_no_verdict(world: World) -> None:
    kept(world, score="not_enough", advice="Wait for more rows.")
    text = signed_in(world, "admin").get(PAGE).text
    assert "Too few to tell" in text
    assert "90 rows now, 900 then" in text


def test_a_comparison_of_another_version_says_so(world: World) -> None:
    kept(world, version=6)
    assert "version 7 answers now" in signed_in(world, "admin").get(PAGE).text


def test_an_unknown_model_has_no_page(world: World) -> None:
    assert signed_in(world, "admin").get("/console/models/nothing/drift").status_code == 404


def test_the_list_of_models_names_a_mean_amount_as_one(world: World) -> None:
    figures = {"top_fifth_share": {"value": 0.62, "low": 0.5, "high": 0.7}}
    report = {"gate": {"passed": True, "refusals": []}, "metrics": figures, "baselines": {}, "n_test": 149,
              "base_rate": 292840.2}  # fmt: skip
    write_json(world.workspace / "reports" / "churn" / "7.json", report)
    text = signed_in(world, "admin").get("/console/models").text
    assert "mean 292,840" in text
    assert "with the outcome" not in text


def test_the_overview_says_when_scores_moved(world: World) -> None:
    kept(world)
    assert "its scores moved" not in signed_in(world, "admin").get("/console").text
    kept(world, score="shifted")
    text = signed_in(world, "admin").get("/console").text
    assert "its scores moved" in text
    assert PAGE in text
