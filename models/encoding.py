"""Feature frame to float64 matrix, the same way in training and in serving.

Categories become 0/1 columns of levels fixed in training. LightGBM's own categoricals are never used: they
make attributions silently wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError
from models.spec import Feature, ModelSpec

MAX_LEVELS = 12
OTHER, MISSING = "other", "missing"
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class EncodedColumn:
    """One column of the matrix.

    Attributes:
        feature: Feature it belongs to.
        level: Category level; None for a number or a flag.
        role: `value`, `level`, `other` or `missing`.
        fill: What the trees see where a number is missing though training never saw it missing; NaN: as is.
        low: Least value seen in training; NaN for categories and where nothing was seen.
        high: Greatest value seen in training.
    """

    feature: str
    level: str | None = None
    role: str = "value"
    fill: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    @property
    def name(self) -> str:
        """Name of the column: the feature's, or `feature=level`."""
        return self.feature if self.role == "value" else f"{self.feature}={self.level or self.role}"


@dataclass(frozen=True)
class Encoder:
    """A fitted encoding.

    Attributes:
        features: The spec's features, in order.
        encoded: Columns of the matrix, in order.
    """

    features: tuple[Feature, ...]
    encoded: tuple[EncodedColumn, ...]

    @classmethod
    def fit(cls, frame: Any, spec: ModelSpec, *, max_levels: int = MAX_LEVELS) -> Encoder:
        """Fix the columns from the rows of training.

        Args:
            frame: DataFrame with the spec's features.
            spec: The model's definition.
            max_levels: Levels kept for a category, by count, then by name; the rest are `other`.
        """
        columns: list[EncodedColumn] = []
        for feature in spec.features:
            if feature.kind == "category":
                columns.extend(_levels(feature, _texts(frame[feature.name]), max_levels))
            else:
                columns.append(_number(feature.name, _numbers(frame[feature.name], feature)))
        return cls(spec.features, tuple(columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the matrix's columns, in order."""
        return tuple(c.name for c in self.encoded)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(f.name for f in self.features)

    @cached_property
    def spans(self) -> dict[str, list[int]]:
        """Column numbers of each feature."""
        found: dict[str, list[int]] = {f.name: [] for f in self.features}
        for i, column in enumerate(self.encoded):
            found[column.feature].append(i)
        return found

    @cached_property
    def fills(self) -> Any:
        """(columns,) what the trees see where a number is missing; NaN: the gap itself."""
        return np.array([c.fill for c in self.encoded])

    def encode(self, frame: Any) -> Any:
        """The matrix, float64 (n, columns); missing or infinite numbers are NaN, absent columns missing."""
        out = np.empty((len(frame), len(self.encoded)), dtype=np.float64)
        plain = [f for f in self.features if f.kind != "category"]
        out[:, [self.spans[f.name][0] for f in plain]] = _number_block(frame, plain)
        for feature in self.features:
            if feature.kind == "category":
                span = self.spans[feature.name]
                out[:, span] = self._one_hot(span, _texts(_column(frame, feature.name)))
        return out

    def filled(self, matrix: Any) -> Any:
        """What the trees see: a number never missing in training gets its median, else they would read 0."""
        return np.where(np.isnan(matrix) & ~np.isnan(self.fills), self.fills, matrix)

    def missing(self, matrix: Any) -> Any:
        """Whether each feature is missing in each row: bool (n, features)."""
        out = np.zeros((len(matrix), len(self.features)), dtype=bool)
        for j, feature in enumerate(self.features):
            span = self.spans[feature.name]
            if feature.kind == "category":
                known = [i for i in span if self.encoded[i].role != "missing"]
                # A row of zeros is an unknown or unseen category: nothing is known about it.
                out[:, j] = ~matrix[:, known].any(axis=1)
            else:
                out[:, j] = np.isnan(matrix[:, span[0]])
        return out

    def blank(self, matrix: Any, feature: str) -> Any:
        """A copy of the matrix with one feature missing."""
        out = matrix.copy()
        for i in self.spans[feature]:
            role = self.encoded[i].role
            out[:, i] = np.nan if role == "value" else float(role == "missing")
        return out

    def warnings(self, frame: Any) -> list[list[str]]:
        """For each row, what the model has not seen: unknown categories and numbers out of range."""
        found: list[list[str]] = [[] for _ in range(len(frame))]
        for feature in self.features:
            column = _column(frame, feature.name)
            if feature.kind == "category":
                self._warn_unseen(feature, _texts(column), found)
            else:
                self._warn_range(feature, _numbers(column, feature), found)
        return found

    def _warn_unseen(self, feature: Feature, texts: Any, found: list[list[str]]) -> None:
        span = [self.encoded[i] for i in self.spans[feature.name]]
        if any(c.role == "other" for c in span):
            return  # rare levels were seen in training, too many to tell apart
        levels = {c.level for c in span if c.role == "level"}
        for i, text in enumerate(texts):
            if text is not None and text not in levels:
                found[i].append(
                    f"{feature.shown_label} {text!r} was not seen in training; it is read as other."
                )

    def _warn_range(self, feature: Feature, numbers: Any, found: list[list[str]]) -> None:
        column = self.encoded[self.spans[feature.name][0]]
        margin = column.high - column.low
        for i in np.flatnonzero((numbers > column.high + margin) | (numbers < column.low - margin)):
            found[i].append(
                f"{feature.shown_label} is {numbers[i]:g}; in training it lay between "
                f"{column.low:g} and {column.high:g}."
            )

    def _one_hot(self, span: list[int], texts: Any) -> Any:
        columns = [self.encoded[i] for i in span]
        levels = [c.level for c in columns if c.role == "level"]
        index = {level: j for j, level in enumerate(levels)}
        by_role = {c.role: j for j, c in enumerate(columns)}
        place = [by_role.get(MISSING) if t is None else index.get(t, by_role.get(OTHER)) for t in texts]
        out = np.zeros((len(place), len(span)))
        hit = [(row, j) for row, j in enumerate(place) if j is not None]
        if hit:
            out[tuple(np.array(hit).T)] = 1.0
        return out

    def to_json(self) -> dict[str, Any]:
        """Plain values for the bundle; the features are in its spec."""
        return {
            "columns": [
                [c.feature, c.level, c.role, *(None if np.isnan(v) else v for v in (c.fill, c.low, c.high))]
                for c in self.encoded
            ]
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], spec: ModelSpec) -> Encoder:
        """Inverse of `to_json`."""
        nan = float("nan")
        encoded = [
            EncodedColumn(f, level, role, *(nan if v is None else float(v) for v in rest))
            for f, level, role, *rest in value["columns"]
        ]
        return cls(spec.features, tuple(encoded))


def _column(frame: Any, name: str) -> Any:
    return frame[name] if name in frame.columns else pd.Series([np.nan] * len(frame), dtype="float64")


def _number_block(frame: Any, features: list[Feature]) -> Any:
    """Numbers and flags, (n, features); at once where all are floats, which is dozens of times faster."""
    names = [f.name for f in features]
    if set(names) <= set(frame.columns):
        block = frame[names]
        if all(dtype == np.float64 for dtype in block.dtypes):
            values = block.to_numpy()
            return np.where(np.isfinite(values), values, np.nan)
    columns = [_numbers(_column(frame, f.name), f) for f in features]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0))


def _number(name: str, numbers: Any) -> EncodedColumn:
    seen = numbers[~np.isnan(numbers)]
    if not len(seen):
        return EncodedColumn(name)
    complete = len(seen) == len(numbers)
    fill = float(np.median(seen)) if complete else float("nan")
    return EncodedColumn(name, fill=fill, low=float(seen.min()), high=float(seen.max()))


def _levels(feature: Feature, texts: Any, max_levels: int) -> list[EncodedColumn]:
    name = feature.name
    present = pd.Series([t for t in texts if t is not None], dtype=object)
    counts = sorted(present.value_counts().items(), key=lambda item: (-item[1], item[0]))
    seen = [str(level) for level, _ in counts[:max_levels]]
    seen += [level for level in feature.levels if level not in seen]
    columns = [EncodedColumn(name, level, "level") for level in seen]
    if any(str(level) not in seen for level, _ in counts[max_levels:]):
        columns.append(EncodedColumn(name, None, OTHER))
    if len(present) < len(texts) or not columns:
        columns.append(EncodedColumn(name, None, MISSING))
    return columns


def _texts(column: Any) -> list[str | None]:
    values = column.to_numpy(dtype=object)
    return [None if gone else str(v) for v, gone in zip(values, pd.isna(values), strict=True)]


def _numbers(column: Any, feature: Feature) -> Any:
    """float64 values, infinite ones missing.

    Raises:
        DataError: a value is not a number.
    """
    try:
        if column.dtype == object and feature.kind == "flag":
            column = column.map(_as_flag)
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"Column {feature.name} holds something that is not a number: {error}.",
            allowed="numbers, or empty where not known",
            pointer=feature.name,
        ) from None
    return np.where(np.isfinite(values), values, np.nan)


def _as_flag(value: Any) -> Any:
    text = str(value).strip().lower()
    return 1.0 if text in TRUE else 0.0 if text in FALSE else value
