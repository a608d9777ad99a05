"""Training rows of fit: nothing after signing gets in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.fit.card import FIT_DEFAULT
from models.fit.settings import FitSettings
from tests.unit.fit.worlds import dataset_of
from training.estimators import fit_unlabelled
from training.fit_rows import motions
from training.splits import check_purged, final_split, rolling_origin


def test_features_are_those_known_before_signing(world: Any, dataset: Any) -> None:
    """Changing everything that was recorded from the signing on changes no feature."""
    tables = dict(world.tables)
    partners = tables["partners"].copy()
    later = partners["known_at"] > partners["signed_at"]
    assert later.any()
    partners.loc[later, ["country", "partner_type", "motion"]] = "XX"
    partners.loc[later, "employee_count"] = 1
    prospects = tables["prospects"].copy()
    after = prospects["partner_id"].notna()
    prospects.loc[after, ["country", "industry", "motion"]] = "XX"
    tables |= {"partners": partners, "prospects": prospects}
    changed = dataset_of(replace(world, tables=tables))
    columns = [*dataset.features]
    pd.testing.assert_frame_equal(changed.frame[columns], dataset.frame[columns])


def test_no_column_is_born_after_signing(dataset: Any) -> None:
    allowed = {
        "employee_count", "annual_revenue_usd", "revenue_per_employee_usd", "company_age_years", "country",
        "region", "partner_type", "motion", "industry",
    }  # fmt: skip
    assert set(dataset.features) <= allowed


def test_every_row_is_a_partner_whose_year_is_over(world: Any, dataset: Any) -> None:
    end = pd.Timestamp(world.end)
    assert not np.isnan(dataset.labels()).any()
    assert (dataset.frame["signed_at"] + pd.Timedelta(days=395) <= end).all()
    assert dataset.frame["partner_id"].is_unique
    assert 0.2 < dataset.labels().mean() < 0.6


def test_training_labels_were_known_by_the_test_window(dataset: Any) -> None:
    splits = rolling_origin(dataset, origins=4)
    assert len(splits) == 4
    for split in splits:
        check_purged(dataset, split)
        first = dataset.frame["signed_at"].to_numpy()[split.test].min()
        assert dataset.known_at()[split.refit].max() <= first
    tested = np.concatenate([s.test for s in splits])
    assert np.unique(tested).size == tested.size


def test_a_motion_keeps_the_rows_of_all_motions_to_be_compared_with(world: Any, dataset: Any) -> None:
    one = dataset_of(world, motion="resell")
    assert one.spec.name == "fit.resell"
    assert set(one.frame["motion"]) == {"resell"}
    assert one.pooled is not None
    assert one.pooled.size == dataset.size > one.size


def test_an_unknown_motion_is_told_the_known_ones(world: Any) -> None:
    with pytest.raises(NotEnoughEvidenceError, match="resell, services"):
        dataset_of(world, motion="carrier pigeon")


def test_only_motions_with_many_partners_get_a_profile(world: Any) -> None:
    from tests.unit.fit.worlds import Tables

    lake, end = Tables(world.tables), pd.Timestamp(world.end).to_pydatetime()
    assert motions(lake, settings=FitSettings(motion_rows=100), known_until=end) == ["resell", "services"]
    assert motions(lake, settings=FitSettings(motion_rows=5000), known_until=end) == []


def test_with_nobody_on_record_the_message_says_what_to_map(world: Any) -> None:
    tables = {name: rows.iloc[:0] for name, rows in world.tables.items()}
    with pytest.raises(MissingDataError, match="signed_at"):
        dataset_of(replace(world, tables=tables))


@pytest.mark.parametrize("empty", [("deals",), ("deals", "prospects")])
def test_without_any_outcome_the_scorecard_scores_and_gives_no_probability(world: Any, empty: Any) -> None:
    tables = {name: rows.iloc[:0] if name in empty else rows for name, rows in world.tables.items()}
    dataset = dataset_of(replace(world, tables=tables))
    with pytest.raises(NotEnoughEvidenceError):
        final_split(dataset)
    bundle = fit_unlabelled(dataset)
    rows = dataset.frame.head(20)
    matrix = bundle.encode(rows)
    assert np.allclose(bundle.points(matrix), FIT_DEFAULT.points(rows))
    assert np.isnan(bundle.score(matrix).probability[365]).all()
    assert set(bundle.score(matrix).evidence) == {"insufficient"}
