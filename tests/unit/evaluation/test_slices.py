"""Parts of the test rows, with intervals, and none clearly worse unseen."""

import numpy as np
import pandas as pd
import pytest

from evaluation.metrics import Judged
from evaluation.settings import EvaluationSettings
from evaluation.slices import find_slices, parts

SETTINGS = EvaluationSettings(replicates=100, slice_columns=("country", "employee_count", "absent"))


def world(bad=""):
    rng = np.random.default_rng(0)
    n = 900
    country = rng.choice(["DE", "FR", "UK"], n)
    country[:20] = "IS"
    p = rng.uniform(0.05, 0.6, n)
    y = (rng.random(n) < p).astype(float)
    shown = np.where(country == bad, 1 - p, p)
    judged = Judged(y, shown, np.arange(n), np.zeros(n, dtype=np.int64))
    frame = pd.DataFrame({"country": country, "employee_count": rng.integers(1, 500, n).astype(float)})
    return frame, judged, np.full(n, y.mean())


def test_parts_with_thirty_rows_have_figures_and_smaller_ones_are_left_out():
    found = find_slices(*world(), settings=SETTINGS)
    assert {s.value for s in found if s.column == "country"} == {"DE", "FR", "UK"}
    assert len([s for s in found if s.column == "employee_count"]) == 3
    assert all(s.metrics["auc"].finite and s.n >= 30 for s in found)
    assert not any(s.clearly_worse for s in found)


def test_each_part_says_how_often_it_is_chosen_first():
    frame, judged, reference = world()
    found = {s.value: s for s in find_slices(frame, judged, reference, settings=SETTINGS)}
    share = found["DE"].metrics["selected_share"]
    assert share.low < share.value < share.high
    top = judged.p >= np.quantile(judged.p, 0.8)
    assert share.value == pytest.approx(top[(frame["country"] == "DE").to_numpy()].mean(), abs=0.01)


def test_a_part_where_the_model_is_wrong_is_clearly_worse():
    found = find_slices(*world(bad="FR"), settings=SETTINGS)
    assert [s.value for s in found if s.clearly_worse and s.column == "country"] == ["FR"]


def test_thirds_of_a_number_share_its_rows_and_leave_out_missing():
    column = pd.Series([1.0, 2, 3, 4, 5, 6, np.nan])
    masks = np.array([m for _, m in parts(column)])
    assert masks.sum(axis=0).tolist() == [1, 1, 1, 1, 1, 1, 0]
