"""Choose the engine for a model text: compiled trees where they are exact, LightGBM otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.errors import BundleError
from models.engine.engine import Engine, TreeEngine
from models.engine.fallback import LightGBMEngine
from models.engine.parse import parse_model

# Largest allowed difference from LightGBM.
RAW_TOLERANCE, CONTRIBUTION_TOLERANCE = 1e-12, 1e-5


@dataclass(frozen=True)
class Difference:
    """Largest absolute difference between two engines over some rows."""

    raw: float
    contributions: float

    @property
    def acceptable(self) -> bool:
        """Whether one engine may stand in for the other; NaN never is."""
        return self.raw <= RAW_TOLERANCE and self.contributions <= CONTRIBUTION_TOLERANCE


def compile_engine(
    model_text: str, *, booster: Any = None, sha256: str | None = None, check_rows: Any = None
) -> TreeEngine | LightGBMEngine:
    """Compile `Booster.model_to_string()`.

    Parsing checks structure, lengths and ranges, but no text shows that a digit was changed: give the
    `sha256` of the bundle's manifest, or hand in the text of a bundle that was verified already.

    Args:
        model_text: The model as text.
        booster: The same model loaded by LightGBM, if there is one; otherwise it is loaded when needed.
        sha256: Hex digest the UTF-8 text must have.
        check_rows: Rows to compare with LightGBM now; when they differ, LightGBM is used.

    Returns:
        The compiled engine, or LightGBM with the `reason` why.

    Raises:
        BundleError: The text is damaged.
    """
    if sha256 is not None and hashlib.sha256(model_text.encode()).hexdigest() != sha256.lower():
        raise BundleError(
            "The model text does not have the sha256 of its manifest.", next_step="Fetch the bundle again."
        )
    model = parse_model(model_text)
    if model.unsupported:
        reason = "the compiled engine does not support " + " and ".join(model.unsupported)
        return LightGBMEngine(booster or _load(model_text), reason=reason)
    engine = TreeEngine(model)
    if check_rows is None:
        return engine
    oracle = LightGBMEngine(booster or _load(model_text), reason="the compiled engine gave other values")
    return engine if compare(engine, oracle, rows=check_rows).acceptable else oracle


def compare(engine: Engine, oracle: Engine, *, rows: Any) -> Difference:
    """Largest differences over some rows, for golden checks when a bundle is loaded."""
    return Difference(
        raw=float(np.abs(engine.raw(rows) - oracle.raw(rows)).max(initial=0.0)),
        contributions=float(np.abs(engine.contributions(rows) - oracle.contributions(rows)).max(initial=0.0)),
    )


def _load(model_text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=model_text)
