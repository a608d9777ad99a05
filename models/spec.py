"""What a model is, as authored: its features, what they mean to people, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from data.errors import ConfigError

Kind = Literal["number", "category", "flag"]
Output = Literal["probability", "hazard", "ordered", "amount"]
CONTEXT = "context"
_DERIVED = re.compile(r"(?:[_ ](?:lag\d*|delta\d*|trend\d*|days_before|mean\d*))+$")


@dataclass(frozen=True)
class Feature:
    """One input of a model.

    Attributes:
        name: Column name in the feature frame.
        kind: How it is encoded; a flag is 0/1.
        group: Component of the health score; features interact only within their group.
        factor: Business factor its contribution is summed into; empty: a factor of its own.
        monotone: +1 the score never falls as the value rises, -1 never rises, 0 free.
        actionable: Whether the partner or its manager can change it.
        label: Short name for people; empty: made from the column name.
        unit: Unit for display, such as days or usd.
        sentence: Template with `{value}` and `{peer}`.
        missing: Sentence when there is no value; may hold `{peer}`.
        view: Feature view it comes from, for freshness; empty in snapshot mode.
        levels: Categories told apart even where training saw none of them, such as a scorecard's.
    """

    name: str
    kind: Kind = "number"
    group: str = CONTEXT
    factor: str = ""
    monotone: int = 0
    actionable: bool = False
    label: str = ""
    unit: str = ""
    sentence: str = ""
    missing: str = ""
    view: str = ""
    levels: tuple[str, ...] = ()

    @property
    def shown_factor(self) -> str:
        """Factor under which the feature's contribution is reported."""
        return self.factor or self.name

    @property
    def shown_label(self) -> str:
        """Label for people."""
        return self.label or self.name.replace("_", " ")


@dataclass(frozen=True)
class ModelSpec:
    """A model's definition: no weights, no data.

    Attributes:
        name: Model name, as in the registry and in URLs.
        title: One line for people.
        entity_id: Columns that identify what is scored.
        features: Inputs, in order.
        output: Kind of answer.
        horizons_days: Horizons it answers for, ascending; empty for undated models.
        adverse: A high score is bad news (churn), so more scorecard points mean a lower score.
        directions: Names of a positive and of a negative contribution.
    """

    name: str
    title: str
    entity_id: tuple[str, ...]
    features: tuple[Feature, ...]
    output: Output
    horizons_days: tuple[int, ...] = ()
    adverse: bool = False
    directions: tuple[str, str] = ("raises_risk", "lowers_risk")

    def __post_init__(self) -> None:
        names = [f.name for f in self.features]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(f"Model {self.name} lists features twice: {', '.join(twice)}.")
        if list(self.horizons_days) != sorted(set(self.horizons_days)):
            raise ConfigError(
                f"Model {self.name} has horizons {self.horizons_days}.", allowed="ascending, distinct days"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(f.name for f in self.features)

    @property
    def groups(self) -> tuple[str, ...]:
        """Component groups in order of first use."""
        return tuple(dict.fromkeys(f.group for f in self.features))

    @property
    def factors(self) -> tuple[str, ...]:
        """Business factors in order of first use."""
        return tuple(dict.fromkeys(f.shown_factor for f in self.features))

    def feature(self, name: str) -> Feature:
        """The feature of that name; KeyError when there is none."""
        return {f.name: f for f in self.features}[name]

    def restricted_to(self, columns: Iterable[str]) -> ModelSpec:
        """The same model on the features the data has.

        Raises:
            ConfigError: none of the features is there.
        """
        present = set(columns)
        kept = tuple(f for f in self.features if f.name in present)
        if not kept:
            raise ConfigError(
                f"None of the {len(self.features)} features of model {self.name} is in the data.",
                allowed=", ".join(self.names[:6]) + ", …",
                next_step="Map the tables they come from, or give ready-made columns as a snapshot.",
            )
        return replace(self, features=kept)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the bundle."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelSpec:
        """Inverse of `to_json`; TypeError or KeyError on a wrong schema."""
        plain = dict(value)
        return cls(
            **{
                **plain,
                "entity_id": tuple(plain["entity_id"]),
                "features": tuple(
                    Feature(**{**f, "levels": tuple(f.get("levels", ()))}) for f in plain["features"]
                ),
                "horizons_days": tuple(plain["horizons_days"]),
                "directions": tuple(plain["directions"]),
            }
        )

    @classmethod
    def from_columns(
        cls,
        name: str,
        frame: Any,
        *,
        entity_id: tuple[str, ...],
        title: str = "",
        skip: Iterable[str] = (),
        horizons_days: tuple[int, ...] = (),
        adverse: bool = False,
        output: Output = "probability",
        directions: tuple[str, str] = ("raises_score", "lowers_score"),
    ) -> ModelSpec:
        """A spec for ready-made columns: one feature per column, all in group `context`.

        Lags, deltas and trends of a column share its factor, so that they are one reason.

        Args:
            name: Model name.
            frame: DataFrame of features and, possibly, other columns.
            entity_id: Identifying columns, never features.
            title: One line for people; empty: the name.
            skip: Columns that are not features, such as as_of and the label.
            horizons_days: The label's horizon, when it has one.
            adverse: Whether a positive label is bad news.
            output: Kind of answer.
            directions: Names of positive and negative contributions.
        """
        left_out = {*entity_id, *skip}
        features = tuple(
            _generic_feature(str(c), kind_of(frame[c])) for c in frame.columns if str(c) not in left_out
        )
        return cls(name, title or name, entity_id, features, output, horizons_days, adverse, directions)


def kind_of(column: Any) -> Kind:
    """Feature kind of a pandas column, from its dtype."""
    kind = getattr(column.dtype, "kind", "O")
    if kind == "b" or str(column.dtype) == "boolean":
        return "flag"
    return "number" if kind in "iuf" else "category"


def base_column(name: str) -> str:
    """The column a lag, delta or trend was derived from; itself when it was not."""
    return _DERIVED.sub("", name) or name


def _generic_feature(name: str, kind: Kind) -> Feature:
    label = name.replace("_", " ")
    sentence = f"{_escaped(label)} is {{value}}; usual here: {{peer}}."
    if kind == "category":
        sentence = f"{_escaped(label)} is {{value}}, as for {{peer}} of those known."
    return Feature(
        name,
        kind,
        factor=base_column(name),
        label=label,
        sentence=sentence,
        missing=f"{_escaped(label)} is not known.",
    )


def _escaped(text: str) -> str:
    """Text safe inside a template: a column may be called `cost {eur}`."""
    return text.replace("{", "{{").replace("}", "}}")
