"""The rules by which a lead finds its partner: plain data, checked when written, immutable once used."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from data.errors import InputError

KIND = "routing"
By = Literal["tier", "region", "size"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Calendar(_Part):
    """When partners work.

    Attributes:
        zone: IANA name of the time zone.
        days: Working days, 0 is Monday.
        opens: Local time.
        closes: Local time, later than `opens`.
        holidays: Local dates on which nobody works.
    """

    zone: str = "UTC"
    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = (0, 1, 2, 3, 4)
    opens: time = time(9)
    closes: time = time(17)
    holidays: tuple[date, ...] = ()

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no such time zone; allowed: IANA names such as Europe/Berlin") from None
        return zone

    @model_validator(mode="after")
    def _open_at_all(self) -> Calendar:
        if not self.days or self.opens >= self.closes:
            raise ValueError("nobody ever works: give at least one day, and opens before closes")
        return self


class Band(_Part):
    """A share of a calendar month's offers that a group of partners should get.

    Attributes:
        by: What the group is of.
        label: Which group: a tier, `country/region`, or `small | medium | large | unknown`.
        least_share: Below it, partners of the group go first, within the policy's tolerance.
        most_share: Above it, partners of the group go last, within the tolerance.
    """

    by: By
    label: str = Field(min_length=1, max_length=200)
    least_share: float = Field(default=0.0, ge=0, lt=1)
    most_share: float = Field(default=1.0, gt=0, le=1)


class RuleWeights(_Part):
    """What the rules router counts when no model answers: points for each criterion at its best."""

    specialty: float = Field(default=3.0, ge=0)
    geography: float = Field(default=2.0, ge=0)
    tier: float = Field(default=1.0, ge=0)


class RoutingPolicy(_Part):
    """One version of the rules.

    Attributes:
        objective: `wins`: most leads won; `value`: most value won.
        require_territory: Whether a partner with territories may only get leads from them.
        certifications: Product → certification a partner must hold for it.
        product_types: Product → partner types that may sell it.
        excluded_partners: Partners that get no leads.
        excluded_pairs: (partner, web domain) that do not go together: a conflict of interest.
        relationship: `prefer`: a partner that already works with the account goes first.
        relationship_tolerance: Share of the best expected gain that this may cost.
        rest_hours: Hours a partner rests between two offers.
        capacity_default: Leads at once for a partner whose territories say nothing.
        capacity_by_tier: Leads at once by tier, where territories say nothing.
        exploration_share: Share of low-value leads that go to any eligible partner, drawn evenly.
        exploration_most_value: Only leads worth at most this much explore (the lead's own currency).
        most_reroutes: Offers after the first one.
        sla_hours: Tier → business hours to answer.
        sla_default_hours: For other tiers.
        calendar: Business hours.
        bands: Fairness.
        band_tolerance: Share of the best expected gain that fairness may cost in one decision.
        value_unknown: Value counted for a lead that states none, under the objective `value`.
        use_bid_prices: Whether capacity that better leads will want has a price.
        tier_order: Tiers from lowest to highest, for the rules router.
        rules: Weights of the rules router.
        seed: Of ties and exploration.
    """

    objective: Literal["wins", "value"] = "wins"
    require_territory: bool = True
    certifications: dict[str, str] = Field(default_factory=dict)
    product_types: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    excluded_partners: tuple[str, ...] = ()
    excluded_pairs: tuple[tuple[str, str], ...] = ()
    relationship: Literal["prefer", "ignore"] = "prefer"
    relationship_tolerance: float = Field(default=0.3, ge=0, le=1)
    rest_hours: float = Field(default=0.0, ge=0, le=24 * 90)
    capacity_default: int = Field(default=10, ge=0, le=100_000)
    capacity_by_tier: dict[str, Annotated[int, Field(ge=0, le=100_000)]] = Field(default_factory=dict)
    exploration_share: float = Field(default=0.05, ge=0, le=0.5)
    exploration_most_value: float = Field(default=5000.0, ge=0)
    most_reroutes: int = Field(default=2, ge=0, le=2)
    sla_hours: dict[str, Annotated[float, Field(gt=0, le=24 * 60)]] = Field(default_factory=dict)
    sla_default_hours: float = Field(default=16.0, gt=0, le=24 * 60)
    calendar: Calendar = Calendar()
    bands: tuple[Band, ...] = ()
    band_tolerance: float = Field(default=0.15, ge=0, le=1)
    value_unknown: float = Field(default=5000.0, ge=0)
    use_bid_prices: bool = True
    tier_order: tuple[str, ...] = ("registered", "bronze", "silver", "gold", "platinum")
    rules: RuleWeights = RuleWeights()
    seed: int = Field(default=7, ge=0)

    @model_validator(mode="after")
    def _possible(self) -> RoutingPolicy:
        for by in ("tier", "region", "size"):
            floors = sum(b.least_share for b in self.bands if b.by == by)
            if floors > 1:
                raise ValueError(f"least shares by {by} sum to {floors:g}; allowed: at most 1")
        return self

    def sla(self, tier: str | None) -> float:
        """Business hours a partner of a tier has to answer."""
        return self.sla_hours.get(tier or "", self.sla_default_hours)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the policy table."""
        return self.model_dump(mode="json")


def read_policy(body: Any) -> RoutingPolicy:
    """A policy from plain values.

    Raises:
        InputError: With the place of the first fault.
    """
    from pydantic import ValidationError

    try:
        return RoutingPolicy.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = "/" + "/".join(str(part) for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise InputError(f"The routing policy cannot be used at {place}: {said}.", pointer=place) from None
