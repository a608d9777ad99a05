"""The dynamics of the analytic world: AR(1) engagement, Poisson signals, a hazard of state and firm.

Simple enough that the best possible score can be computed (`data.simulate.analytic.bayes`), and close enough
to the product's features that windowed counts are nearly sufficient: all signals load on one state, habits
differ between partners only through their known size, and everything is known when it happens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.simulate.config import AnalyticConfig
from data.simulate.rich.firmographics import Firms
from data.simulate.streams import Floats

TYPE_EFFECT = np.array([0.0, -0.55, 0.65, 0.25])
INDUSTRY_EFFECT = np.array([-0.35, 0.0, -0.15, 0.15, 0.4, 0.1])


@dataclass(frozen=True)
class Emission:
    """A kind of row: mean per day for a typical partner, effect of the state and of size on the log rate."""

    kind: str
    daily: float
    loading: float
    scale: float = 0.3


EVENTS = (
    Emission("portal_login", 0.13, 0.70),
    Emission("content_download", 0.02, 0.60, 0.1),
    Emission("email_open", 0.03, 0.10, 0.1),
    Emission("meeting", 0.01, 0.50, 0.1),
    Emission("training_completed", 0.04, 0.70),
    Emission("ticket_opened", 0.012, 0.0, 0.0),
)
SOURCES = {"email_open": "mail", "meeting": "crm", "training_completed": "lms", "ticket_opened": "support"}


def emissions(config: AnalyticConfig) -> tuple[Emission, ...]:
    """All kinds of rows with this world's rates: events, then registered and won deals.

    Won deals hardly follow the state or size: they keep coming until the partner leaves, so that a silence of
    90 days is a departure.
    """
    scaled = tuple(Emission(e.kind, e.daily * config.event_rate, e.loading, e.scale) for e in EVENTS)
    deals = (
        Emission("registered", config.registered_daily, 0.75),
        Emission("won", config.won_daily, 0.15 if config.signal else 0.0, 0.1 if config.signal else 0.0),
    )
    return tuple(Emission(e.kind, e.daily, e.loading * config.signal, e.scale) for e in (*scaled, *deals))


def daily_rates(config: AnalyticConfig, state: Floats, size: Floats) -> list[Floats]:
    """Mean rows per day by kind, for broadcast state and size."""
    return [e.daily * np.exp(e.loading * state + e.scale * np.clip(size, -2, 3)) for e in emissions(config)]


def known_risk(firms: Firms) -> Floats:
    """Log hazard from what is known about the firm."""
    size = np.clip(firms.size, -2, 3)
    return TYPE_EFFECT[firms.kind] + INDUSTRY_EFFECT[firms.industry] - 0.4 * size - 0.3 * firms.services


def daily_hazard(config: AnalyticConfig, state: Floats, known: Floats) -> Floats:
    """Probability of leaving at the end of a day."""
    log_ratio = config.signal * (config.hazard_known * known - config.hazard_state * state)
    return np.asarray(-np.expm1(-config.hazard_daily * np.exp(log_ratio)))


def persistence(config: AnalyticConfig) -> float:
    """Daily autocorrelation of the state."""
    return float(np.exp(-1.0 / config.persistence_days))
