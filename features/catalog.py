"""The views there are, in column order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data.errors import ConfigError
from features import deals, enablement, engagement, firmographics, satisfaction
from features.definition import Definition, ViewDefinition
from features.inputs import Inputs

Builder = Callable[[Inputs], Any]

VIEWS: dict[str, tuple[ViewDefinition, Builder]] = {
    module.VIEW.name: (module.VIEW, module.build)
    for module in (firmographics, engagement, deals, enablement, satisfaction)
}


def view(name: str) -> ViewDefinition:
    """The definition of a view.

    Raises:
        ConfigError: There is no such view.
    """
    if name not in VIEWS:
        raise ConfigError(f"{name!r} is no feature view.", allowed=", ".join(VIEWS))
    return VIEWS[name][0]


def definitions() -> dict[str, Definition]:
    """Every feature by name."""
    return {f.name: f for v, _ in VIEWS.values() for f in v.features}


def view_of(feature: str) -> str:
    """Name of the view a feature belongs to.

    Raises:
        ConfigError: There is no such feature.
    """
    for name, (found, _) in VIEWS.items():
        if feature in found.columns:
            return name
    raise ConfigError(f"{feature!r} is no feature.", allowed="the names in docs/reference/features.md")
