"""Churn labels as rows of a fit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from models.churn.label import Labels
from models.churn.settings import ChurnSettings
from models.design import Design


def stacked_design(
    labels: Labels, rows: Any, matrix: Any, *, settings: ChurnSettings, group: Any = None
) -> Design:
    """The stacked intervals of encoded rows; rows without a known interval stay, unobserved.

    Args:
        labels: What `build_labels` gave.
        rows: DataFrame[partner_id, as_of], one for each row of the matrix.
        matrix: Encoded rows, (n, p).
        settings: The mapping's churn section.
        group: Group of each row; None: the partner.
    """
    place = pd.MultiIndex.from_frame(rows[["partner_id", "as_of"]])
    stacked = labels.stacked
    row = place.get_indexer(pd.MultiIndex.from_frame(stacked[["partner_id", "as_of"]]))
    kept = row >= 0
    return Design.hazard(
        matrix,
        row=row[kept],
        event=stacked["event"].to_numpy()[kept],
        interval=stacked["interval"].to_numpy()[kept],
        exposure_days=stacked["exposure_days"].to_numpy()[kept],
        lengths_days=[end - start for start, end in settings.intervals],
        group=rows["partner_id"].to_numpy() if group is None else group,
    )
