"""Settings of the two worlds: every number that shapes them, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class RichConfig:
    """Settings of the rich world.

    Attributes:
        partners: Number of partners that ever sign.
        seed: Seed of all streams.
        start: First day of the data.
        end: Day of the export (exclusive).
        managers: Number of channel managers.
        leads: Leads per partner over the whole period.
        accounts: Number of end customers.
        event_rate: Multiplier of all engagement rates.
        order_rate: Multiplier of the rate of direct orders.
        signal: How strongly engagement drives departure (0: not at all).
        hazard_weekly: Departure hazard per week of a typical partner.
        shift_at: Day on which the portal is relaunched and logins change meaning; None: never.
        shift_hazard: Multiplier of the hazard from `shift_at` on.
        shift_flip: Whether engagement raises the hazard from `shift_at` on.
        interventions: Whether managers check in on partners, with a true uplift.
        explore_share: Share of leads the legacy router gives at random.
        router_temperature: Softness of the legacy router; 0: always its favourite.
        messy: Late, duplicate, corrected rows, aliases and missing values.
        leaky: Adds a panel with a post-outcome column and back-dated exit events.
        all_missing: Empties every optional column.
    """

    partners: int = 1500
    seed: int = 7
    start: date = date(2023, 5, 1)
    end: date = date(2026, 10, 31)
    managers: int = 25
    leads: float = 4.0
    accounts: int = 4000
    event_rate: float = 0.65
    order_rate: float = 1.0
    signal: float = 1.0
    hazard_weekly: float = 0.0042
    shift_at: date | None = date(2026, 1, 12)
    shift_hazard: float = 1.0
    shift_flip: bool = False
    interventions: bool = True
    explore_share: float = 0.05
    router_temperature: float = 0.6
    messy: bool = True
    leaky: bool = False
    all_missing: bool = False

    @property
    def days(self) -> int:
        """Length of the data in days."""
        return (self.end - self.start).days

    @property
    def weeks(self) -> int:
        """Number of weekly steps that cover the data."""
        return -(-self.days // 7)


@dataclass(frozen=True)
class AnalyticConfig:
    """Settings of the analytic world; all rates are per day for a typical partner.

    Attributes:
        partners: Number of partners that ever sign.
        seed: Seed of all streams.
        start: First day of the data.
        end: Day of the export (exclusive).
        signal: How strongly the hidden state moves signals and hazard (0: not at all).
        persistence_days: Time in which the hidden state forgets all but 1/e of itself.
        hazard_daily: Departure hazard of a typical partner.
        hazard_state: Effect of the state on the log hazard.
        hazard_known: Effect of known firmographics on the log hazard.
        won_daily: Won deals per day.
        registered_daily: Registered deals per day.
        event_rate: Multiplier of all engagement rates.
    """

    partners: int = 4000
    seed: int = 7
    start: date = date(2023, 5, 1)
    end: date = date(2026, 10, 31)
    signal: float = 1.0
    persistence_days: float = 60.0
    hazard_daily: float = 0.0008
    hazard_state: float = 0.95
    hazard_known: float = 1.4
    won_daily: float = 0.1
    registered_daily: float = 0.06
    event_rate: float = 1.0

    @property
    def days(self) -> int:
        """Length of the data in days."""
        return (self.end - self.start).days
