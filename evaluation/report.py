"""What an evaluation found, as values and as the JSON people build on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evaluation.resampling import Estimate
from training.dataset import DroppedColumn

SIMULATED = "Simulated metrics prove the pipeline, not the market."


@dataclass(frozen=True)
class Refusal:
    """One reason why a candidate may not be promoted."""

    code: str
    message: str


@dataclass(frozen=True)
class Rung:
    """One step of the ladder of references.

    Attributes:
        name: For example "prevalence" or "shipped model".
        metrics: Figures with intervals; empty when it was not measured.
        note: How it was made, or why it was not measured.
    """

    name: str
    metrics: Mapping[str, Estimate]
    note: str = ""


@dataclass(frozen=True)
class SliceFinding:
    """How the model does on one part of the test rows."""

    column: str
    value: str
    n: int
    events: int
    metrics: Mapping[str, Estimate]
    clearly_worse: bool = False


@dataclass(frozen=True)
class Suspect:
    """A column that looks as if it knew the outcome."""

    column: str
    why: str
    auc: float
    confirmed: bool = False


@dataclass(frozen=True)
class ReliabilityBin:
    """Predicted against observed rate in one group of test rows."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Report:
    """An evaluation of one model version.

    Attributes:
        model: Model name.
        version: Registered version, or None for a model that was evaluated and not registered.
        title: What it predicts, in words.
        n_train: Rows that trained the last origin's model.
        n_test: Different test rows over all origins.
        n_entities: Entities among them.
        events: Positives among them (yes/no labels).
        base_rate: Share of positives; mean class of ordered labels; mean amount.
        split: How rows were parted, in words.
        metrics: Figures of the shipped model.
        ladder: References, weakest first.
        decisive: Paired differences the gate reads, such as `log_loss − scorecard`.
        headline: Share of (ceiling − scorecard) captured, in AUC; None when not measured.
        refusals: What the gate refused; None before it ran.
        dropped: Columns that took no part.
        suspects: Columns that look like leaks.
        slices: Parts of the test rows.
        reliability: Predicted against observed.
        monotone_violations: Steps against the promised direction, found on test rows.
        origins: Per test date: name, rows, events, AUC, note.
        about: Label, population and settings, in words.
        extra: Further facts for the JSON.
    """

    model: str
    title: str
    n_train: int
    n_test: int
    n_entities: int
    events: int
    base_rate: float
    split: str
    metrics: Mapping[str, Estimate]
    ladder: tuple[Rung, ...] = ()
    decisive: Mapping[str, Estimate] = field(default_factory=dict)
    headline: float | None = None
    refusals: tuple[Refusal, ...] | None = None
    dropped: tuple[DroppedColumn, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    slices: tuple[SliceFinding, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    monotone_violations: int = 0
    origins: tuple[Mapping[str, Any], ...] = ()
    about: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, ...] = ()
    ordered: bool = False
    amounts: bool = False
    version: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the gate ran and refused nothing."""
        return self.refusals is not None and not self.refusals

    def judged_by(self, refusals: tuple[Refusal, ...]) -> Report:
        """The same report with the gate's verdict."""
        return replace(self, refusals=refusals)

    def rung(self, name: str) -> Rung | None:
        """The rung of that name, or None."""
        return next((r for r in self.ladder if r.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """The fixed shape: metrics, baselines, gate and dropped columns, then what else was found."""
        return {
            "model": self.model,
            "version": self.version,
            "n_train": self.n_train,
            "n_test": self.n_test,
            "base_rate": _number(self.base_rate),
            "split": self.split,
            "metrics": _estimates(self.metrics),
            "baselines": {
                r.name: {k: _number(v.value) for k, v in r.metrics.items()}
                for r in self.ladder
                if r.name != "model" and r.metrics
            },
            "gate": {
                "passed": self.passed,
                "refusals": [{"code": r.code, "message": r.message} for r in self.refusals or ()],
            },
            "dropped_columns": [{"column": d.column, "why": d.why} for d in self.dropped],
            **self._found(),
        }

    def _found(self) -> dict[str, Any]:
        return {
            "headline_share": _number(self.headline),
            "n_entities": self.n_entities,
            "events": self.events,
            "ladder": [
                {"name": r.name, "note": r.note, "metrics": _estimates(r.metrics)} for r in self.ladder
            ],
            "decisive": _estimates(self.decisive),
            "suspect_columns": [
                {"column": s.column, "why": s.why, "auc": _number(s.auc), "confirmed": s.confirmed}
                for s in self.suspects
            ],
            "slices": [
                {
                    "column": s.column,
                    "value": s.value,
                    "n": s.n,
                    "events": s.events,
                    "clearly_worse": s.clearly_worse,
                    "metrics": _estimates(s.metrics),
                }
                for s in self.slices
            ],
            "reliability": [
                {k: _number(getattr(b, k)) for k in ("predicted", "observed", "low", "high", "n")}
                for b in self.reliability
            ],
            "monotone_violations": self.monotone_violations,
            "origins": [dict(o) for o in self.origins],
            "about": dict(self.about),
            "limits": list(self.limits),
            **self.extra,
        }


def write_json(report: Report, path: Path) -> Path:
    """Write the report as strict JSON (no NaN), replacing the file in one step."""
    return write_text(json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path) -> Path:
    """Write a file so that a reader sees the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    return draft.replace(path)


def _number(value: float | int | None) -> float | int | None:
    """Strict JSON has no NaN and no infinity: a figure that does not exist is null."""
    return None if value is None or not math.isfinite(value) else value


def _estimates(found: Mapping[str, Estimate]) -> dict[str, dict[str, float | int | None]]:
    return {
        k: {"value": _number(e.value), "low": _number(e.low), "high": _number(e.high)}
        for k, e in found.items()
    }
