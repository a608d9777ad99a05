"""The analytic world (to be filled)."""

from __future__ import annotations

from data.simulate.config import AnalyticConfig
from data.simulate.world import World


def build_analytic(config: AnalyticConfig) -> World:
    """The analytic world."""
    raise NotImplementedError
