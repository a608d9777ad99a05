"""Which models there are: every folder of `models` that holds a SPEC, or several in SPECS."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import models
from data.errors import ConfigError
from models.spec import ModelSpec


def specs() -> dict[str, ModelSpec]:
    """All authored models by name, sorted.

    A new model is a new folder with `SPEC` (or a tuple `SPECS`) in its `__init__`; nothing else changes.

    Raises:
        ConfigError: two folders claim the same name, or a SPEC is not a ModelSpec.
    """
    found: dict[str, ModelSpec] = {}
    for module in sorted(pkgutil.iter_modules(models.__path__), key=lambda m: m.name):
        if not module.ispkg:
            continue
        for spec in _authored(importlib.import_module(f"models.{module.name}")):
            if not isinstance(spec, ModelSpec):
                raise ConfigError(
                    f"models.{module.name}.SPEC is a {type(spec).__name__}.", allowed="a ModelSpec"
                )
            if spec.name in found:
                raise ConfigError(f"Two specs of models/ are called {spec.name!r}.", next_step="Rename one.")
            found[spec.name] = spec
    return dict(sorted(found.items()))


def _authored(module: Any) -> tuple[Any, ...]:
    """The specs of a folder; most have one, and some none."""
    if hasattr(module, "SPECS"):
        return tuple(module.SPECS)
    return (module.SPEC,) if hasattr(module, "SPEC") else ()
