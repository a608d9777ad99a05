"""The pure parts of the console: bars that add up, tables that keep their place, words that do not lie."""

from __future__ import annotations

import math
import re
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.auth import Identity
from serving.console import words
from serving.console.charts import amounts, diverging, ladder, line, reliability
from serving.console.directory import Company
from serving.console.grid import arrange, read_grid
from serving.console.render import FOLDER, environment
from serving.console.routing import fault_of
from serving.console.tiers import out_of_order
from serving.console.waterfall import probability, waterfall

SCALES = st.sampled_from(["log_odds", "log_cumulative_hazard"])


def score(baseline: float, contributions: list[float], rest: float, scale: str) -> dict[str, Any]:
    reasons = [{"factor": f"f{i}", "sentence": "s", "contribution": c} for i, c in enumerate(contributions)]
    return {"baseline": baseline, "reasons": reasons, "other_factors": rest, "scale": scale}


@given(
    st.floats(-4, 1), st.lists(st.floats(-2, 2), max_size=12), st.floats(-1, 1), SCALES
)  # fmt: skip
def test_the_bars_of_a_waterfall_lead_from_the_typical_case_to_the_score(
    baseline: float, contributions: list[float], rest: float, scale: str
) -> None:
    chart = waterfall(score(baseline, contributions, rest, scale))
    first, last = chart.steps[0], chart.steps[-1]
    assert first.after == pytest.approx(probability(baseline, scale))
    assert last.after == pytest.approx(probability(baseline + sum(contributions) + rest, scale), abs=1e-9)
    between = chart.steps[1:-1]
    assert all(a.after == pytest.approx(b.before, abs=1e-9) for a, b in pairwise(between))
    assert all(s.left >= 0 and s.left + s.width <= 101 for s in chart.steps)
    sizes = [abs(s.contribution) for s in between if s.label != "everything else"]
    assert sizes == sorted(sizes, reverse=True)


@given(st.lists(st.one_of(st.none(), st.integers(-50, 50))), st.booleans(), st.integers(1, 9))
def test_a_table_loses_and_doubles_no_row_whatever_its_order(
    values: list[int | None], descending: bool, size: int
) -> None:
    rows = list(enumerate(values))
    query = {"sort": "value", "order": "desc" if descending else "asc"}
    seen: list[tuple[int, int | None]] = []
    page, pages = 1, 1
    while page <= pages:
        grid = read_grid(
            {**query, "page": str(page)}, base="/x", filters=(), sorts={"value": False}, size=size
        )
        shown, grid = arrange(rows, grid, keep=lambda r: r[1] != 7, key=lambda r: r[1])
        seen += shown
        page, pages = page + 1, grid.pages
    assert sorted(seen, key=str) == sorted((r for r in rows if r[1] != 7), key=str)
    known = [v for _, v in seen if v is not None]
    assert known == sorted(known, reverse=descending)
    assert [v for _, v in seen][: len(known)] == known


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "99999999999", "1e3", "٣"])
def test_a_page_number_that_is_none_is_the_first(page: str) -> None:
    assert read_grid({"page": page}, base="/x", filters=(), sorts={"a": False}).page == 1


def test_a_link_to_another_page_keeps_filters_and_order() -> None:
    grid = read_grid(
        {"q": "a&b", "sort": "x", "order": "desc"}, base="/x", filters=("q",), sorts={"x": False}
    ).counted(500)
    assert grid.at(2) == "/x?q=a%26b&sort=x&order=desc&page=2"
    assert grid.sorted_by("x") == "/x?q=a%26b&sort=x&order=asc"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.456, "46%"), (0.0001, "<1%"), (0.9999, ">99%"), (0.0, "0%"), (1.0, "100%"), (None, "–"),
     (math.nan, "–"), (True, "–")],
)  # fmt: skip
def test_a_share_near_the_end_is_never_shown_as_the_end(value: Any, shown: str) -> None:
    assert words.pct(value) == shown


def test_times_are_told_in_words() -> None:
    now = datetime(2026, 11, 20, 12, 0)
    assert words.age("2026-11-20T09:00:00Z", now=now) == "3 h ago"
    assert words.age("2026-11-17", now=now) == "3 days ago"
    assert words.age(None, now=now) == "–"
    assert words.moment("2026-11-20T00:00:00Z") == "20 Nov 2026"
    assert words.moment("2026-11-20T09:30:00.000001Z") == "20 Nov 2026, 09:30 UTC"
    assert words.moment("not a time") == "–"


def test_signs_are_shown_and_nothing_is_minus_zero() -> None:
    assert [words.signed(v) for v in (1.24, -3.0, 0.01, -0.01)] == ["+1.2", "−3.0", "0.0", "0.0"]


def test_charts_stay_within_their_frames() -> None:
    rung = {"name": "model", "metrics": {"auc": {"value": 0.7, "low": 0.6, "high": None}}}
    other = {"name": "ceiling", "metrics": {}}
    found = ladder([rung, other], "auc")
    assert set(found) == {"model"}
    assert all(0 <= v <= 100 for v in (found["model"].at, found["model"].low, found["model"].high))
    assert ladder([other], "auc") == {}
    bins = [{"predicted": 0.1, "observed": 0.2, "low": 0.0, "high": 0.4, "n": 10}]
    assert all(0 <= d.y <= 320 for d in reliability(bins).dots)
    money = [
        {"predicted": 2e3, "observed": 0.0, "low": 0.0, "high": 9e3, "n": 10},
        {"predicted": 4e5, "observed": 5e5, "low": 1e5, "high": 2e6, "n": 10},
    ]
    shown = amounts(money)
    assert all(0 <= v <= 320 for d in shown.dots for v in (d.x, d.y, d.low, d.high))
    assert [text for _, text in shown.ticks] == ["1k", "10k", "100k", "1M", "10M"]
    bars = diverging({"a": -10.0, "b": 5.0, "c": 0.0})
    assert bars["a"][0] == pytest.approx(2.0)
    assert bars["b"][0] == pytest.approx(50.0)
    assert line([1, None, 3]).count(",") == 2
    assert line([None, 2]) == ""


def test_what_is_wrong_with_a_lead_is_said_in_words() -> None:
    value = {"loc": ("estimated_value", "amount"), "msg": "String should match pattern '^\\d{1,13}$'"}
    assert fault_of(value) == "Value in USD: give a number, such as 40000 or 40000.50."
    assert fault_of({"loc": ("country",), "msg": "x"}).startswith("Country: give a code of two letters")
    assert fault_of({"loc": ("city",), "msg": "too long"}) == "City: too long."


def test_cuts_that_do_not_rise_are_named() -> None:
    def policy(*cuts: float) -> dict[str, Any]:
        return {
            "tiers": [{"name": n, "cut": c} for n, c in zip(("none", "silver", "gold"), cuts, strict=True)]
        }

    assert out_of_order(policy(0, 30, 48)) == ""
    assert out_of_order(policy(0, 99, 48)) == (
        "Gold must begin above silver, and silver begins at 99. Move one of the two."
    )


def test_units_of_names_are_words() -> None:
    assert words.words("annual_revenue_usd") == "Annual revenue, US dollars"
    assert words.words("founded_year") == "Founded year"


@pytest.mark.parametrize(
    ("kind", "said"), [("any_of", "by one of these"), ("all_of", "by all of these together")]
)
def test_what_a_tier_asks_for_tells_what_must_be_from_what_may_be(kind: str, said: str) -> None:
    def need(kind: str, label: str, have: float, least: float, unit: str = "") -> dict[str, Any]:
        return {"kind": kind, "label": label, "have": have, "need": least, "unit": unit}

    gap = [
        need("gate", "Certified people", 0.0, 2.0, "people"),
        need("points", "Points for gold", 41.04, 48.0, "points"),
        need(kind, "Value won in a year", 0.0, 510_000.0, "usd"),
        need(kind, "Deals", 1.0, 9.0, "deals"),
    ]
    macros = environment().get_template("parts.html").module
    told = str(macros.needs(gap, 41.04))
    assert told == (
        "Certified people: 2 people (has 0); 48 points (the lower bound is 41.0), for instance "
        f"{said}: Value won in a year: $510,000 (has $0); Deals: 9 deals (has 1)"
    )
    assert "48 points (has 41.0), for" in str(macros.needs(gap))


def test_the_audit_log_speaks_words_and_no_programs() -> None:
    assert words.kind("fit_list.score") == "Fit list: score"
    detail = {
        "models": {"fit": {"manifest_sha256": "26" * 32, "version": "2"}},
        "rows": 1477,
        "from": None,
        "expires_at": "2027-05-22T00:00:00.000000Z",
        "reason": "the default",
    }
    assert words.told(detail) == (
        "models (fit (manifest sha256 262626262626…, version 2)), rows 1,477, from none, "
        "expires at 22 May 2027, reason the default"
    )
    assert words.told({}) == ""


def test_no_plain_table_can_widen_the_page() -> None:
    for template in sorted((FOLDER / "templates").glob("*.html")):
        text = template.read_text(encoding="utf-8")
        for found in re.finditer(r'<table class="grid(?: cards| tight| tight cards)?">', text):
            before = text[: found.start()].rstrip()
            assert before.endswith('aria-label="Table">'), f"{template.name}: {text[found.start() :][:90]}"


@pytest.mark.parametrize(
    ("tier", "shown"), [("Gold", "silver"), ("platinum", "platinum"), ("silver", "silver")]
)
def test_an_approved_tier_is_shown_until_the_tables_show_another(tier: str, shown: str) -> None:
    company = Company("P1", "Acme", {"tier": tier, "country": "DE"})
    assert company.holding({"P1": ("gold", "silver")}).fact("tier") == shown
    assert company.holding({"P1": ("gold", "silver")}).fact("country") == "DE"
    assert company.holding({"P2": ("gold", "silver")}) is company


def test_a_closed_alert_says_in_the_list_what_it_came_to() -> None:
    alert = {
        "alert_id": "alr_1", "partner_id": "P1", "company": Company("P1", "Acme", {}), "state": "at_risk",
        "kind": "risk", "reasons": [], "opened_at": "2026-11-01", "due_on": None, "assignee": None,
        "closed_on": "2026-11-05", "came_to": "False alarm", "data_age_hours": None, "margin_at_risk": None,
        "churn_probability_90": 0.4, "probability_when_opened": 0.4, "manager_id": "M1",
    }  # fmt: skip
    row = environment().get_template("parts.html").module.alert_row
    manager = Identity("k", "o", "channel_manager", "M1")
    assert "closed 5 Nov 2026: false alarm" in str(row(alert, "", datetime(2026, 11, 9), manager))
    assert "closed" not in str(row({**alert, "came_to": ""}, "", datetime(2026, 11, 9), manager))
