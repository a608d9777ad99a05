"""Scores of many rows, written into one file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.checks import Finding
from data.errors import BundleError, NotFoundError
from partnerintel.datasets import check_model
from partnerintel.outputs import check_output, write_whole
from partnerintel.preparing import keep_faults
from partnerintel.progress import Tick
from partnerintel.rows import rows_to_score
from partnerintel.settings import Project

if TYPE_CHECKING:
    from models.scoring import Bundle, Scores

CHUNK_ROWS = 5_000
REASONS_SHOWN = 3
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Scored:
    """What came of scoring.

    Attributes:
        count: Rows written.
        findings: What was wrong with rows of the input.
        quarantine: File that holds all rows left out, or None.
        absent: Features the input does not have.
    """

    count: int
    findings: tuple[Finding, ...]
    quarantine: Path | None
    absent: tuple[str, ...]


def score_file(
    project: Project, model: str, *, source: Path | None, output: Path, now: datetime, tick: Tick
) -> Scored:
    """Score rows of a file, or everyone, into a CSV or Parquet file, which is whole or absent.

    Raises:
        NotFoundError: No such model, or it has no champion.
        InputError: The output cannot be written.
        DataError: The input cannot be used.
    """
    import pandas as pd

    check_output(output, suffixes=SUFFIXES)
    bundle, version = champion_bundle(project, model)
    tick("reading", 0.0)
    rows = rows_to_score(project, model, bundle, source=source, now=now)
    parts = []
    for start in range(0, len(rows.keys), CHUNK_ROWS):
        stop = min(start + CHUNK_ROWS, len(rows.keys))
        parts.append(_scored(bundle, rows.keys.iloc[start:stop], rows.features.iloc[start:stop], version))
        tick(f"{stop:,} rows", stop / len(rows.keys))
    frame = pd.concat(parts, ignore_index=True) if parts else rows.keys
    if output.suffix == ".csv":
        write_whole(output, lambda p: _readable_dates(frame).to_csv(p, index=False))
    else:
        write_whole(output, lambda p: frame.to_parquet(p, index=False))
    quarantine = keep_faults(project, f"score-{model}", rows.findings, now=now)
    return Scored(len(frame), rows.findings, quarantine, rows.absent)


def champion_bundle(project: Project, model: str) -> tuple[Bundle, int]:
    """The verified champion and its version.

    Raises:
        NotFoundError: There is none.
        BundleError: It is damaged, here and in the registry.
    """
    from models.bundle import load_bundle

    check_model(project, model)
    registry = project.registry_if_any()
    champion = registry.champion(model) if registry else None
    if registry is None or champion is None:
        raise NotFoundError(
            f"Model {model!r} has no champion.",
            next_step=f"Run `partnerintel train {model}` and `partnerintel promote {model}`.",
        )
    try:
        folder = registry.fetch(model, champion.version)
        return load_bundle(folder, expected=champion.manifest_sha256), champion.version
    except BundleError as error:
        raise BundleError(
            f"Version {champion.version} of {model}, the champion, cannot be used: {error.message}",
            allowed=error.allowed,
            next_step=f"Restore mlflow/artifacts from a backup, or run `partnerintel train {model}`.",
        ) from error


def _scored(bundle: Bundle, keys: Any, rows: Any, version: int) -> Any:
    from models.explain import reasons

    matrix = bundle.encode(rows)
    scores = bundle.score(matrix)
    ordered = bundle.spec.output == "ordered"
    stem = "amount" if bundle.spec.output == "amount" else "probability"
    columns = _ordered(bundle, scores) if ordered else _probabilities(scores, stem)
    if not bundle.labelled:
        columns["scorecard_points"] = bundle.points(matrix)
    why = reasons(bundle, rows, matrix, horizon=max(bundle.horizons), max_reasons=REASONS_SHOWN)
    for k in range(REASONS_SHOWN):
        columns[f"reason_{k + 1}"] = [_nth(r.reasons, k) for r in why]
    warned = [" ".join([*a, *b]) for a, b in zip(scores.warnings, bundle.warnings(rows), strict=True)]
    return keys.reset_index(drop=True).assign(
        **columns, evidence=scores.evidence, warnings=warned, model_version=version
    )


def _probabilities(scores: Scores, stem: str) -> dict[str, Any]:
    """Value and interval at each horizon; without a horizon the names carry none."""
    columns: dict[str, Any] = {}
    for h in sorted(scores.probability):
        end = f"_{h}d" if h else ""
        columns[f"{stem}{end}"] = scores.probability[h]
        columns[f"low{end}"], columns[f"high{end}"] = scores.low[h], scores.high[h]
    return columns


def _ordered(bundle: Bundle, scores: Scores) -> dict[str, Any]:
    """The middle class, 0-based, and the probability of reaching each band."""
    import numpy as np

    cuts = sorted(scores.probability)
    reached = np.column_stack([scores.probability[k] for k in cuts])
    middle = np.where(np.isnan(reached).any(axis=1), np.nan, (reached > 0.5).sum(axis=1))
    named = {
        f"probability_from_{band:g}": scores.probability[k]
        for band, k in zip(bundle.trained["bands"], cuts, strict=True)
    }
    return {"class": middle, **named}


def _readable_dates(frame: Any) -> Any:
    """Times as RFC 3339 with Z: a CSV has no types that could say they are UTC."""
    dated = [c for c in frame.columns if frame[c].dtype.kind == "M"]
    return frame.assign(**{c: frame[c].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for c in dated})


def _nth(found: Any, k: int) -> str:
    """The k-th strongest reason, whatever its direction."""
    strongest = sorted(found, key=lambda r: -abs(r.contribution))
    return strongest[k].sentence if k < len(strongest) else ""
