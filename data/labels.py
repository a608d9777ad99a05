"""The label of a snapshot: yes/no, a number, or text with `positive:`; missing stays missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.checks import refusal
from data.convert import NO, YES
from data.mapping import SnapshotMapping

_SHOWN = 8


def parse_label(values: Any, mapping: SnapshotMapping) -> NDArray[np.float64]:
    """The label as float64: 1 and 0, or numbers; NaN where it is missing.

    Args:
        values: Typed label column: numbers, booleans, or text with None.
        mapping: With `label`, `positive` and `bands`.

    Raises:
        DataError: Text that is neither yes/no nor a number, one class only, or no label at all.
    """
    import pandas as pd

    series = pd.Series(values)
    missing = series.isna().to_numpy()
    if mapping.positive is not None:
        label = _match(series, mapping.positive)
    elif pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        label = series.astype("float64").to_numpy(copy=True)
    else:
        label = _yes_no(series, mapping)
    label[missing] = np.nan
    _check_classes(label, series, mapping)
    return label


def _match(series: Any, positive: bool | int | float | str) -> NDArray[np.float64]:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series):
        wanted = str(positive).casefold()
        number = {**dict.fromkeys(YES, 1.0), **dict.fromkeys(NO, 0.0)}.get(wanted)
        if number is None:
            try:
                number = float(positive)
            except ValueError:
                number = np.nan
        return (series.astype("float64") == number).to_numpy(dtype="float64")
    text = series.astype("string").str.strip().str.casefold()
    return (text == str(positive).strip().casefold()).fillna(False).to_numpy(dtype="float64")


def _yes_no(series: Any, mapping: SnapshotMapping) -> NDArray[np.float64]:
    text = series.astype("string").str.casefold()
    known = {**dict.fromkeys(YES, 1.0), **dict.fromkeys(NO, 0.0)}
    label = text.map(known).astype("float64")
    unread = series[label.isna() & series.notna()]
    if len(unread):
        seen = ", ".join(repr(v) for v in sorted(set(map(str, series.dropna())))[:_SHOWN])
        raise refusal(
            "PI-D062",
            f"{mapping.model}: the label {mapping.label!r} holds {unread.iloc[0]!r}",
            allowed="0/1, true/false, yes/no, numbers",
            next_step=f"Say which value means yes with `positive:`; there are {seen}.",
            pointer=f"snapshots.{mapping.model}.label",
        )
    return label.to_numpy(copy=True)


def _check_classes(label: NDArray[np.float64], series: Any, mapping: SnapshotMapping) -> None:
    known = label[~np.isnan(label)]
    if not len(known):
        message = f"{mapping.model}: no row has a label in {mapping.label!r}"
        raise refusal("PI-D060", message, pointer=f"snapshots.{mapping.model}.label")
    classes = np.unique(band_of(known, mapping.bands) if mapping.bands else known)
    if len(classes) > 1:
        return
    seen = ", ".join(repr(v) for v in sorted(set(map(str, series.dropna())))[:_SHOWN])
    raise refusal(
        "PI-D060",
        f"{mapping.model}: all {len(known):,} labels in {mapping.label!r} are one class, {classes[0]:g}; "
        f"the values seen are {seen}",
        pointer=f"snapshots.{mapping.model}.label",
    )


def band_of(values: NDArray[np.float64], bands: tuple[float, ...]) -> NDArray[np.float64]:
    """Ordered class of each number: 0 below the first band, 1 from it on, …; NaN stays NaN.

    >>> band_of(np.array([2.0, 3.0, 40.0]), (3, 11, 31)).tolist()
    [0.0, 1.0, 3.0]
    """
    classes = np.searchsorted(np.asarray(bands, dtype=np.float64), values, side="right").astype(np.float64)
    classes[np.isnan(values)] = np.nan
    return classes
