"""The ideal partner profile as a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.fit.profile import changes, page, profile, wilson


@pytest.fixture(scope="module")
def found(bundle: Any) -> Any:
    return profile(bundle)


def test_traits_carry_how_many_how_they_did_and_how_much_they_move(found: Any, dataset: Any) -> None:
    frame, y = dataset.frame, dataset.labels()
    trait = next(t for t in found.traits if t.label == "partner type: integrator")
    has = (frame["partner_type"] == "integrator").to_numpy()
    assert trait.partners == has.sum()
    assert trait.succeeded == pytest.approx(y[has].mean())
    assert trait.interval[0] < trait.succeeded < trait.interval[1]
    assert np.sign(trait.effect) == np.sign(trait.points)
    assert [abs(t.effect) for t in found.traits] == sorted(
        (abs(t.effect) for t in found.traits), reverse=True
    )


def test_a_feature_that_moves_nothing_is_said_to_move_nothing(found: Any, bundle: Any) -> None:
    told = {t.feature for t in found.traits}
    labels = {f.shown_label for f in bundle.spec.features if f.name not in told}
    assert set(found.silent) <= labels


def test_the_page_says_what_changed_since_the_last_version(found: Any) -> None:
    moved = replace(found.traits[0], effect=found.traits[0].effect + 0.5)
    before = replace(found, traits=(moved, *found.traits[2:]))
    told = changes(found, before)
    assert told[0].label in (found.traits[0].label, found.traits[1].label)
    text = page(found, version="4", moved=told, before="3")
    assert "## Since version 3" in text
    assert f"- {found.traits[1].label}: new," in text
    assert "→" in text
    assert "not causes" in text


def test_nothing_changed_is_said_too(found: Any) -> None:
    assert changes(found, found) == ()
    assert "Nothing moved" in page(found, version="4", moved=(), before="3")


def test_who_learnt_from_nobody_has_no_profile(bundle: Any) -> None:
    trained = {k: v for k, v in bundle.trained.items() if k != "recruited"}
    assert profile(replace(bundle, trained=trained)) is None


@pytest.mark.parametrize(("wins", "count", "low", "high"), [(0, 10, 0.0, 0.1411), (5, 10, 0.3122, 0.6878)])
def test_the_interval_of_a_share_is_wilsons(wins: int, count: int, low: float, high: float) -> None:
    assert wilson(wins, count) == pytest.approx((low, high), abs=2e-4)


def test_points_of_a_trait_read_as_english(found: Any) -> None:
    traits = [replace(found.traits[0], points=p) for p in (0.034, 0.011, -0.009, -0.001, 0.004)]
    text = page(replace(found, traits=tuple(traits)), version="1", moved=(), before=None)
    told = [
        line.split("|")[4].strip()
        for line in text.splitlines()
        if line.startswith("| partner") or line.startswith(f"| {traits[0].label}")
    ]
    assert told == ["+3 points", "+1 point", "-1 point", "less than 1 point", "less than 1 point"]
