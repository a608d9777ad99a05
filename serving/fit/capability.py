"""Everything fit can do for a caller, opened once for a worker."""

from __future__ import annotations

from dataclasses import dataclass

from data.mapping import parse_settings
from models.fit.settings import FitSettings
from serving.fit.lists import Lists
from serving.fit.scoring import FitScoring
from serving.fit.using import ScoredLists
from serving.jobs import Jobs
from serving.shared import Shared


@dataclass(frozen=True)
class Fit:
    """The use cases of fit.

    Attributes:
        scoring: Prospects sent one by one.
        lists: Lists of prospects, until they are scored.
        scored: Lists of prospects, from then on.
        jobs: Long work.
    """

    scoring: FitScoring
    lists: Lists
    scored: ScoredLists
    jobs: Jobs


def open_fit(shared: Shared) -> Fit:
    """The capability of a worker.

    Raises:
        ConfigError: The `fit:` section cannot be used.
    """
    settings = parse_settings(FitSettings, shared.config.get("fit") or {}, at="fit")
    scoring = FitScoring(shared, settings)
    return Fit(scoring, Lists(shared, scoring), ScoredLists(shared, scoring), shared.jobs)
