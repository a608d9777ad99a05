from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import NotFoundError
from features.matrix import FeatureMatrix


def matrix(*, tier: object = None, order: tuple[int, ...] = (0, 1, 2)) -> FeatureMatrix:
    index = pd.Index(["a", "b", "c"], name="partner_id", dtype=object)
    frame = pd.DataFrame({"employee_count": [1.0, np.nan, 3.0], "tier": ["gold", tier, None]}, index=index)
    frame["tier"] = frame["tier"].astype(object)
    times = np.array(["2023-01-01", "2023-01-02", "2023-01-03"], dtype="datetime64[us]")
    chosen = list(order)
    return FeatureMatrix.of(frame.iloc[chosen], features_as_of=times[chosen])


def test_version_depends_on_content_and_not_on_order() -> None:
    assert matrix().version == matrix(order=(2, 0, 1)).version
    assert matrix().version != matrix(tier="silver").version


def test_rows_come_in_the_order_asked_for() -> None:
    assert list(matrix().rows(["c", "a"])["employee_count"]) == [3.0, 1.0]
    assert matrix(order=(2, 1, 0)).features_as_of[0] == np.datetime64("2023-01-01")


def test_unknown_partner_is_named() -> None:
    assert not matrix().has("z")
    with pytest.raises(NotFoundError, match="'z'"):
        matrix().rows(["a", "z"])
