"""Who trains, who calibrates, who is tested: never the future on the past.

Dated rows: rolling origin. For a test date T and a gap (horizon + silence + reporting lag): train on
snapshots up to T − 2·gap, calibrate on (T − 2·gap, T − gap], refit with the same parameters on all up to
T − gap: at T every label used was known. Where history is too short the scheme gives way in this order:
1. fewer origins; 2. the calibrator is cross-fitted, grouped by entity, inside the rows up to T − gap;
3. no test date at all is an error that names the history needed.
Undated rows: by the column the mapping names (`order_by`), else repeated stratified grouped folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError, NotEnoughEvidenceError
from training.dataset import DAY, Dataset, Rows, entity_codes

Kind = Literal["purged time split", "ordered split", "repeated grouped folds"]
Stamp = np.datetime64
MIN_ROWS = 30
MIN_EVENTS = 5
MIN_TRAIN_SHARE = (
    0.3  # of the rows of the refit; a smaller first part calibrates another model than is served
)
FOLDS = 5
REPEATS = 2
EMPTY: Rows = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Split:
    """One test and all that may be known before it.

    Attributes:
        name: For example "2024-03-01" or "fold 2 of repeat 1".
        kind: How rows were parted.
        train: Rows that fit the model whose scores the calibrator sees.
        calibrate: Rows that fit the calibrator; empty: cross-fit inside `refit`.
        refit: Rows that fit the model that is tested.
        test: Rows it is judged on.
        train_known_by: Labels of `train` were known by then; None when undated.
        refit_known_by: Labels of `refit` and `calibrate` were known by then.
        note: What gave way, in words; empty when nothing did.
    """

    name: str
    kind: Kind
    train: Rows
    calibrate: Rows
    refit: Rows
    test: Rows
    train_known_by: Stamp | None = None
    refit_known_by: Stamp | None = None
    note: str = ""

    @property
    def cross_fit(self) -> bool:
        """Whether the calibrator is cross-fitted inside `refit`."""
        return self.calibrate.size == 0


def rolling_origin(
    dataset: Dataset,
    *,
    origins: int = 4,
    test_at: date | None = None,
    test_from: date | None = None,
    seed: int = 0,
) -> list[Split]:
    """Splits of a data set, the last test date first.

    Args:
        dataset: Rows with labels.
        origins: Most test dates tried; a fixed test date is the only one.
        test_at: Test on the snapshot of exactly this day.
        test_from: Test on all snapshots from this day on.
        seed: Seed of the folds of undated rows.

    Raises:
        InputError: Test dates are asked of undated rows, or no snapshot has that date.
        NotEnoughEvidenceError: No label is known before the test date.
    """
    if not dataset.dated:
        if test_at or test_from:
            raise InputError(
                "A test date was given, but the rows have no as_of.",
                allowed="--test-at and --test-from only where the mapping names `as_of`",
            )
        return _ordered(dataset) if "order" in dataset.frame.columns else grouped_folds(dataset, seed=seed)
    if test_at or test_from:
        split = _fixed(dataset, test_at, test_from)
        check_purged(dataset, split)
        return [split]
    splits = _rolling(dataset, origins)
    for split in splits:
        check_purged(dataset, split)
    return splits


def final_split(dataset: Dataset) -> Split:
    """All that is known today, for the model that is shipped; there is nothing left to test it on.

    Dated rows follow the protocol with today as the test date: the latest snapshots calibrate.

    Raises:
        NotEnoughEvidenceError: No outcome is known yet.
    """
    rows = np.flatnonzero(_labelled(dataset))
    if not rows.size:
        raise NotEnoughEvidenceError(
            "No outcome is known yet, so nothing can be learnt.",
            allowed=f"labels, which are known {dataset.gap_days} days after a snapshot",
            next_step="Until then the scorecard gives a health score without a probability.",
        )
    if dataset.dated:
        return replace(_origin(dataset, EMPTY, dataset.known_at()[rows].max()), name="final")
    kind: Kind = "ordered split" if "order" in dataset.frame.columns else "repeated grouped folds"
    return Split("final", kind, rows, EMPTY, rows, EMPTY)


def check_purged(dataset: Dataset, split: Split) -> None:
    """Refuse, before anything is trained, a split whose training labels look past the test date.

    Raises:
        InputError: A label window overlaps the test date.
    """
    if not dataset.dated or split.test.size == 0:
        return
    first = dataset.as_of[split.test].min()
    used = np.concatenate([split.train, split.calibrate, split.refit])
    known = dataset.known_at()[used]
    late = int(np.sum(~np.isnat(known) & (known > first)))
    if late:
        raise InputError(
            f"{late} training labels were known only after the test date {_day(first)}: "
            "their windows overlap it.",
            allowed="training labels known by the test date",
            next_step="Choose a later test date, or correct horizon_days.",
        )


def _labelled(dataset: Dataset) -> NDArray[np.bool_]:
    return ~np.isnan(dataset.labels())


def _test_dates(dataset: Dataset) -> NDArray[np.datetime64]:
    """Snapshot dates whose outcomes are known for nearly all rows, the last first."""
    labelled = _labelled(dataset)
    dates, code = np.unique(dataset.as_of, return_inverse=True)
    total = np.bincount(code)
    known = np.bincount(code, labelled)
    return dates[(known >= 0.95 * total) & (known > 0)][::-1]


def _origin(dataset: Dataset, test: Rows, origin: Stamp) -> Split:
    """The purged split for a test date; parts may be empty, the caller judges."""
    as_of, labelled, gap = dataset.as_of, _labelled(dataset), dataset.gap_days * DAY
    known = dataset.known_at()
    refit = np.flatnonzero(labelled & (as_of <= origin - gap) & (known <= origin))
    first = np.flatnonzero(labelled & (as_of <= origin - 2 * gap) & (known <= origin - gap))
    split = Split(
        name=_day(origin),
        kind="purged time split",
        train=first,
        calibrate=np.setdiff1d(refit, np.flatnonzero(as_of <= origin - 2 * gap)),
        refit=refit,
        test=test,
        train_known_by=origin - gap,
        refit_known_by=origin,
    )
    if _enough(dataset, first, refit.size * MIN_TRAIN_SHARE) and _enough(dataset, split.calibrate):
        return split
    return replace(
        split,
        train=refit,
        calibrate=EMPTY,
        train_known_by=origin,
        note="history too short for a calibration period of its own: the calibrator is cross-fitted, "
        "grouped by entity, on rows up to the gap before the test date",
    )


def _enough(dataset: Dataset, rows: Rows, least: float = MIN_ROWS) -> bool:
    y = dataset.labels()[rows]
    if rows.size < max(least, MIN_ROWS):
        return False
    if dataset.ordered:
        return np.unique(y).size > 1
    if dataset.amounts:
        return bool((y > 0).sum() >= MIN_EVENTS and np.unique(y).size > 1)
    return bool(y.sum() >= MIN_EVENTS and (1 - y).sum() >= MIN_EVENTS)


def _long_enough(dataset: Dataset, rows: Rows) -> bool:
    """Whether snapshots span a horizon: with less, an earlier origin judges the lack of history."""
    as_of = dataset.as_of[rows]
    return bool(as_of.max() - as_of.min() >= (dataset.step_days or dataset.horizon_days) * DAY)


def _rolling(dataset: Dataset, origins: int) -> list[Split]:
    dates = _test_dates(dataset)
    labelled = _labelled(dataset)
    found: list[Split] = []
    at = dates[0] if dates.size else None
    while at is not None and len(found) < origins:
        test = np.flatnonzero(labelled & (dataset.as_of == at))
        split = _origin(dataset, test, at)
        if found and not (_enough(dataset, split.refit) and _long_enough(dataset, split.refit)):
            break
        found.append(split)
        step = dataset.step_days or dataset.horizon_days
        earlier = dates[(dates <= at - step * DAY) & (dates < at)]
        at = earlier[0] if earlier.size else None
    if not found or found[0].refit.size == 0:
        raise NotEnoughEvidenceError(_too_short(dataset), next_step="Bring older data, or a shorter horizon.")
    return found


def _fixed(dataset: Dataset, test_at: date | None, test_from: date | None) -> Split:
    labelled, as_of = _labelled(dataset), dataset.as_of
    wanted = np.datetime64(test_at or test_from, "us")
    mask = (as_of == wanted) if test_at else (as_of >= wanted)
    test = np.flatnonzero(labelled & mask)
    if test.size == 0:
        dates = _test_dates(dataset)
        span = f"{_day(dates[-1])} to {_day(dates[0])}" if dates.size else "none"
        raise InputError(f"No labelled snapshot {'at' if test_at else 'from'} {_day(wanted)}.", allowed=span)
    split = _origin(dataset, test, as_of[test].min())
    if split.refit.size == 0:
        raise NotEnoughEvidenceError(
            f"Label windows of all earlier snapshots overlap the test date {split.name}.",
            allowed=f"a test date at least {dataset.gap_days} days after the first snapshot",
        )
    return split if test_at else replace(split, name=f"from {split.name}")


def _too_short(dataset: Dataset) -> str:
    as_of = dataset.as_of
    span = f"{_day(as_of.min())} to {_day(as_of.max())}" if dataset.size else "no rows"
    return (
        f"History is too short for a test: snapshots span {span}, and a label is known "
        f"{dataset.gap_days} days after its snapshot."
    )


def _ordered(dataset: Dataset) -> list[Split]:
    """First half trains, next quarter calibrates, last quarter is tested; ties of the order stay together."""
    labelled = np.flatnonzero(_labelled(dataset))
    order = dataset.frame["order"].to_numpy()[labelled]
    half, quarter = np.quantile(order, [0.5, 0.75], method="higher")
    rows = labelled[np.lexsort((labelled, order))]
    position = dataset.frame["order"].to_numpy()[rows]
    first, middle = rows[position < half], rows[(position >= half) & (position < quarter)]
    last = rows[position >= quarter]
    if not _enough(dataset, first) or last.size == 0:
        raise NotEnoughEvidenceError(
            f"{labelled.size} labelled rows are too few for an ordered split.",
            allowed=f"at least {2 * MIN_ROWS} rows with {2 * MIN_EVENTS} of each outcome",
        )
    calibrate = middle if _enough(dataset, middle) else EMPTY
    refit = np.concatenate([first, middle])
    train = first if calibrate.size else refit
    note = "" if calibrate.size else "too few rows for a calibration part: the calibrator is cross-fitted"
    return [Split("last quarter by order", "ordered split", train, calibrate, refit, last, note=note)]


def grouped_folds(
    dataset: Dataset, *, folds: int = FOLDS, repeats: int = REPEATS, seed: int = 0
) -> list[Split]:
    """Repeated stratified folds in which a group is never on both sides.

    Raises:
        NotEnoughEvidenceError: Fewer labelled rows or groups than folds.
    """
    rows = np.flatnonzero(_labelled(dataset))
    splits: list[Split] = []
    for repeat in range(repeats):
        for k, (train, test) in enumerate(_parts(dataset, rows, folds, seed + repeat)):
            name = f"fold {k + 1} of repeat {repeat + 1}"
            splits.append(Split(name, "repeated grouped folds", train, EMPTY, train, test))
    return splits


def _parts(dataset: Dataset, rows: Rows, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """(rest, fold) row ids of stratified grouped folds of some rows."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = entity_codes(dataset, rows)
    y = _strata(dataset, rows)
    least = int(np.bincount(y, minlength=2).min())
    if np.unique(groups).size < folds or least < folds:
        raise NotEnoughEvidenceError(
            f"{rows.size} labelled rows of {np.unique(groups).size} entities are too few for {folds} folds.",
            allowed=f"at least {folds} entities and {folds} rows of each outcome",
        )
    cut = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    return [(rows[a], rows[b]) for a, b in cut.split(y, y, groups)]


def _strata(dataset: Dataset, rows: Rows) -> NDArray[np.int64]:
    """0/1 by which folds are balanced; ordered classes and amounts are cut at their median."""
    y = dataset.labels()[rows]
    middle = np.median(y) if (dataset.ordered or dataset.amounts) and y.size else 0.5
    return (y > middle).astype(np.int64)


def _day(stamp: Stamp) -> str:
    return str(np.datetime_as_string(stamp, unit="D"))
