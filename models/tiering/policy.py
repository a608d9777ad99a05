"""The published rules of tiers: categories and measures, cuts, gates, stability. Data, never code.

Points of a measure rise in a straight line from its low bar to its high bar, so that no figure of a partner
makes its points jump; sums of money and counts can be divided by size first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
POTENTIAL = "potential_usd"
"""The model's expected contribution of the next twelve months, as a measure of a policy."""
Category = Literal["performance", "potential", "capability", "engagement", "customer_success"]
CATEGORIES: tuple[Category, ...] = get_args(Category)


GREATEST = 1e15
Figure = Annotated[float, Field(ge=-GREATEST, le=GREATEST, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PerSize(_Rules):
    """Divides a figure by size, so that large partners do not win by being large alone.

    Attributes:
        feature: What size is.
        reference: A partner of this size keeps its figure.
        exponent: 1 divides by size, 0.5 by its square root.
    """

    feature: Name = "employee_count"
    reference: float = Field(default=100.0, gt=0, le=GREATEST)
    exponent: float = Field(default=0.3, gt=0, le=1)


class Measure(_Rules):
    """One figure that earns points.

    Attributes:
        feature: A partner feature, or `potential_usd`.
        label: For people.
        points: Most it can earn.
        low: What earns nothing.
        high: What earns everything; below `low` where less is better.
        unit: For display, such as usd or people.
        per: Division by size; None: as it is.
    """

    feature: Name
    label: Name
    points: float = Field(gt=0, le=100)
    low: Figure
    high: Figure
    unit: str = Field(default="", max_length=50)
    per: PerSize | None = None

    @model_validator(mode="after")
    def _bars_differ(self) -> Measure:
        if self.low == self.high:
            raise ValueError(f"low and high of {self.feature} are both {self.low:g}; they must differ")
        return self


class Gate(_Rules):
    """What a tier asks for whatever the points.

    Attributes:
        feature: A partner feature.
        label: For people.
        least: Least value.
        unit: For display.
    """

    feature: Name
    label: Name
    least: Figure
    unit: str = Field(default="", max_length=50)


class Tier(_Rules):
    """One tier.

    Attributes:
        name: Its name.
        cut: Points from which it begins; 0 for the lowest.
        gates: What it asks for besides.
        every_category_above: Every category must earn more than this; None: no such rule.
        benefits_usd: What its benefits cost for each partner and year.
    """

    name: Name
    cut: float = Field(ge=0, le=100)
    gates: tuple[Gate, ...] = ()
    every_category_above: Figure | None = None
    benefits_usd: float = Field(default=0.0, ge=0, le=1e12)


class Stability(_Rules):
    """What keeps tiers from flickering; periods are reviews.

    Attributes:
        smoothing_periods: Reviews whose points are averaged.
        promote_on: The bound of the 80 % interval that must clear the cut.
        demote_after_periods: Reviews below the cut in a row before a demotion.
        protected_periods: Reviews after a promotion in which nobody is demoted.
    """

    smoothing_periods: int = Field(default=4, ge=1, le=12)
    promote_on: Literal["lower", "value"] = "lower"
    demote_after_periods: int = Field(default=2, ge=1, le=8)
    protected_periods: int = Field(default=2, ge=0, le=8)


class TierPolicy(_Rules):
    """A whole programme: measures by category, tiers from the lowest, stability."""

    name: Name
    categories: dict[Category, tuple[Measure, ...]]
    tiers: tuple[Tier, ...] = Field(min_length=2, max_length=20)
    stability: Stability = Stability()

    @field_validator("categories")
    @classmethod
    def _in_order(cls, value: dict[Category, tuple[Measure, ...]]) -> dict[Category, tuple[Measure, ...]]:
        """The published order, whatever order a file or the database keeps keys in."""
        return {c: value[c] for c in CATEGORIES if c in value}

    @model_validator(mode="after")
    def _consistent(self) -> TierPolicy:
        total = sum(m.points for m in self.measures)
        if abs(total - 100) > 1e-6:
            raise ValueError(f"points sum to {total:g}; allowed: 100")
        cuts, names = [t.cut for t in self.tiers], [t.name for t in self.tiers]
        if cuts[0] != 0 or cuts != sorted(set(cuts)):
            raise ValueError(f"cuts are {cuts}; allowed: 0 for the first tier, then rising")
        if len(set(names)) < len(names):
            raise ValueError(f"two tiers share a name: {', '.join(names)}")
        features = [m.feature for m in self.measures]
        if len(set(features)) < len(features):
            raise ValueError("a feature earns points twice")
        return self

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All measures in order of their categories."""
        return tuple(m for measures in self.categories.values() for m in measures)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tiers, the lowest first."""
        return tuple(t.name for t in self.tiers)

    @property
    def features(self) -> tuple[str, ...]:
        """Every partner feature it looks at, without the potential."""
        looked = [m.feature for m in self.measures]
        looked += [m.per.feature for m in self.measures if m.per]
        looked += [g.feature for t in self.tiers for g in t.gates]
        return tuple(dict.fromkeys(f for f in looked if f != POTENTIAL))

    @property
    def uses_potential(self) -> bool:
        """Whether any measure is the model's potential."""
        return any(m.feature == POTENTIAL for m in self.measures)

    def level(self, tier: str | None) -> int:
        """Index of a tier by name, whatever its case; the lowest where it is unknown or not one of ours."""
        found = {t.name.casefold(): k for k, t in enumerate(self.tiers)}
        return found.get((tier or "").casefold(), 0)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the database."""
        return self.model_dump(mode="json")


def parse_policy(value: Mapping[str, Any], *, at: str = "policy") -> TierPolicy:
    """A policy from plain values.

    Raises:
        ConfigError: A rule cannot be used; the message names its place.
    """
    try:
        return TierPolicy.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(p) for p in (at, *first["loc"]))
        raise ConfigError(
            f"The tier policy cannot be used: {first['msg']} (at {place}).",
            next_step="See docs/reference/tiers.md, or start from a template.",
            pointer=place,
        ) from error


def read_policy(path_or_template: str, *, base: Path | None = None) -> TierPolicy:
    """A policy from a YAML file (relative to `base`, else to where we are), or a shipped template by name.

    Raises:
        ConfigError: There is no such file or template, or it cannot be used.
    """
    shipped = templates()
    path = shipped.get(path_or_template, (base or Path()) / path_or_template)
    if not path.is_file():
        raise ConfigError(
            f"There is no tier policy {path_or_template!r}.",
            allowed=f"a YAML file, or one of {', '.join(shipped)}",
            pointer="tiers.policy",
        )
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not YAML: {error}", next_step="Correct it.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path.name} holds no policy.", allowed="a mapping with name, categories, tiers")
    return parse_policy(value, at=path.name)


def templates() -> dict[str, Path]:
    """Shipped policies by name."""
    return {p.stem: p for p in sorted(TEMPLATES.glob("*.yaml"))}
