"""The picture of what moves scores, made with shap from contributions that add up exactly."""

from __future__ import annotations

import base64
import io
import warnings
from typing import Any

import numpy as np

from models.bundle import Bundle

MOST_ROWS, MOST_FEATURES = 500, 14


def draw_drivers(bundle: Bundle, rows: Any, *, seed: int = 0) -> str:
    """A shap summary as a PNG in base64; '' where the model gives every row the same score.

    The values are the bundle's own contributions (scorecard, linear part and trees, calibrated): for trees
    they equal shap's, and unlike shap's they cover the other parts.

    Args:
        bundle: A fitted model.
        rows: Raw feature rows; at most 500 are drawn.
        seed: Of the choice of rows and of the jitter.
    """
    if not len(rows):
        return ""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS])
    rows = rows.iloc[chosen]
    explanation = bundle.explain(bundle.encode(rows))
    names = bundle.spec.names  # what lies outside experience has no column
    by_feature = explanation.by_feature[:, : len(names)]
    if np.abs(by_feature).max() < 1e-12:
        return ""
    labels = {f.name: f.shown_label for f in bundle.spec.features}
    data = np.column_stack([_numbers(rows[n]) for n in names])
    return _beeswarm(by_feature, data, [labels[n] for n in names], explanation.baseline, seed)


def _numbers(column: Any) -> Any:
    """Values for colour; text has no order and stays grey."""
    if column.dtype.kind in "biuf":
        return column.to_numpy(dtype=float)
    if str(column.dtype) == "boolean":
        return column.astype("float64").to_numpy()
    return np.full(len(column), np.nan)


def _beeswarm(values: Any, data: Any, names: list[str], baseline: float, seed: int) -> str:
    import matplotlib as mpl

    mpl.use("Agg")
    with warnings.catch_warnings():
        # shap and matplotlib deprecate each other's names now and then; a picture is not worth an error.
        warnings.simplefilter("ignore")
        import matplotlib.pyplot as plt
        import shap

        shown = shap.Explanation(
            values, base_values=np.full(len(values), baseline), data=data, feature_names=names
        )
        np.random.seed(seed)  # shap jitters with the global generator
        figure = plt.figure()
        try:
            shap.plots.beeswarm(shown, max_display=MOST_FEATURES, show=False, plot_size=(8.6, 5.2))
            plt.gca().set_xlabel("contribution to the score (log scale); right raises it", fontsize=10)
            plt.gca().tick_params(labelsize=9)
            buffer = io.BytesIO()
            plt.gcf().savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": ""})
        finally:
            plt.close(figure)
            plt.close("all")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
