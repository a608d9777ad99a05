"""The partners: chosen by recruiters among candidates, signed over the years, with their hidden traits."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from data.simulate.config import RichConfig
from data.simulate.rich.firmographics import Firms, draw, fit_probability, recruiter_liking
from data.simulate.streams import Floats, Ints, below, normal, uniform
from data.simulate.world import labels

CANDIDATES = 3


@dataclass(frozen=True)
class Population:
    """Partners by position.

    Attributes:
        index: Number of the partner, the entity of all its streams.
        ids: Partner ids.
        firms: Firmographics when signed.
        signed_day: Day of signing after the start; negative: before.
        fit: True probability of success given firmographics.
        productive: Whether the partner proves productive in its first year.
        quality: Standing quality, unseen.
        manager: First manager.
        next_manager: Manager after the change.
        change_day: Day of the change of manager; beyond the end for most.
        favourite: Whether the managers favour the partner (tiers).
        uplift: Hazard ratio while a check-in lasts: below 1 it helps, above 1 it harms.
        chosen: Which of its candidates the partner was.
    """

    index: Ints
    ids: Any
    firms: Firms
    signed_day: Floats
    fit: Floats
    productive: Any
    quality: Floats
    manager: Ints
    next_manager: Ints
    change_day: Floats
    favourite: Any
    uplift: Floats
    chosen: Ints

    def take(self, rows: Any) -> Population:
        """The partners at these positions."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        taken: dict[str, Any] = {k: v[rows] for k, v in parts.items() if k != "firms"}
        return Population(firms=self.firms.take(rows), **taken)

    @property
    def column(self) -> Ints:
        """Partner numbers as a column, to broadcast against weeks."""
        return self.index[:, None]


def candidates(config: RichConfig, index: Ints) -> tuple[Firms, Ints]:
    """The companies a recruiter compared for each signing, and which one was signed.

    Selection is by the recruiter's liking plus Gumbel noise, so the chance of being chosen is a softmax.
    """
    rows, option = index[:, None], np.arange(CANDIDATES)[None, :]
    firms = draw(config.seed, rows, option)
    noise = -np.log(-np.log(uniform(config.seed, "recruit", rows, option)))
    return firms, np.argmax(recruiter_liking(firms) + noise, axis=1).astype(np.int64)


def build_population(config: RichConfig, index: Ints) -> Population:
    """The partners with these numbers."""
    seed = config.seed
    firms, chosen = candidates(config, index)
    signed = firms.take((np.arange(index.size), chosen))
    fit = fit_probability(signed)
    early = uniform(seed, "signed.early", index) < 0.5
    within = uniform(seed, "signed.day", index)
    signed_day = np.floor(np.where(early, -1 - within * 1600, within * (config.days - 30)))
    kind = uniform(seed, "uplift.kind", index)
    changes = uniform(seed, "manager.changes", index) < 0.3
    change_day = np.where(
        changes, np.maximum(signed_day, 0) + 30 + 700 * uniform(seed, "manager.day", index), 1e6
    )
    return Population(
        index=index,
        ids=labels("P", index),
        firms=signed,
        signed_day=signed_day,
        fit=fit,
        productive=uniform(seed, "productive", index) < fit,
        quality=normal(seed, "quality", index),
        manager=below(config.managers, seed, "manager", index),
        next_manager=below(config.managers, seed, "manager.next", index),
        change_day=np.floor(change_day),
        favourite=uniform(seed, "favourite", index) < 0.15,
        uplift=np.select([kind < 0.35, kind < 0.85], [0.45, 0.95], 1.25),
        chosen=chosen,
    )
