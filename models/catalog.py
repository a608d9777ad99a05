"""Which models there are: every folder of `models` that holds a SPEC."""

from __future__ import annotations

import importlib
import pkgutil

import models
from data.errors import ConfigError
from models.spec import ModelSpec


def specs() -> dict[str, ModelSpec]:
    """All authored models by name, sorted.

    A new model is a new folder with `SPEC` in its `__init__`; nothing else has to change.

    Raises:
        ConfigError: two folders claim the same name, or a SPEC is not a ModelSpec.
    """
    found: dict[str, ModelSpec] = {}
    for module in sorted(pkgutil.iter_modules(models.__path__), key=lambda m: m.name):
        if not module.ispkg:
            continue
        spec = getattr(importlib.import_module(f"models.{module.name}"), "SPEC", None)
        if spec is None:
            continue
        if not isinstance(spec, ModelSpec):
            raise ConfigError(f"models.{module.name}.SPEC is a {type(spec).__name__}.", allowed="a ModelSpec")
        if spec.name in found:
            raise ConfigError(f"Two folders of models/ are called {spec.name!r}.", next_step="Rename one.")
        found[spec.name] = spec
    return dict(sorted(found.items()))
