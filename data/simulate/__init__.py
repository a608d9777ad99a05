"""Simulated partner ecosystems whose truth is known: only evaluation, the roof and tests may import this."""

from __future__ import annotations

from typing import Any

from data.simulate.config import AnalyticConfig, RichConfig
from data.simulate.presets import PRESETS, WorldKind, config_of
from data.simulate.world import World
from data.simulate.write import write

__all__ = ["PRESETS", "AnalyticConfig", "RichConfig", "World", "simulate", "write"]


def simulate(
    preset: str = "demo",
    *,
    partners: int | None = None,
    seed: int = 7,
    world: WorldKind | None = None,
    **overrides: Any,
) -> World:
    """Simulate a world.

    Args:
        preset: Name in `PRESETS`; its docstring says what must come of it.
        partners: Number of partners; None: the preset's own. Adding partners leaves the data of the others as
            they are, except where partners compete (leads and what comes of them).
        seed: Seed of all streams; the same seed gives the same bytes.
        world: "rich" or "analytic"; None: the preset's own.
        **overrides: Settings of `RichConfig` or `AnalyticConfig`. `end` alone moves the whole calendar.

    Raises:
        InputError: An unknown preset, world or setting.
    """
    from data.simulate.analytic.build import build_analytic
    from data.simulate.rich.build import build_rich

    if partners is not None:
        overrides["partners"] = partners
    config = config_of(preset, world=world, seed=seed, **overrides)
    return build_rich(config) if isinstance(config, RichConfig) else build_analytic(config)
