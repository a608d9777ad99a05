"""Everything fit can do for a caller, opened once for a worker."""

from __future__ import annotations

from dataclasses import dataclass

from data.mapping import parse_settings
from models.fit.settings import FitSettings
from serving.fit.scoring import FitScoring
from serving.shared import Shared


@dataclass(frozen=True)
class Fit:
    """The use cases of fit.

    Attributes:
        scoring: Prospects sent one by one.
    """

    scoring: FitScoring


def open_fit(shared: Shared) -> Fit:
    """The capability of a worker.

    Raises:
        ConfigError: The `fit:` section cannot be used.
    """
    settings = parse_settings(FitSettings, shared.config.get("fit") or {}, at="fit")
    return Fit(FitScoring(shared, settings))
