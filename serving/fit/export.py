"""A list given back: every original column as it was and ours beside them, without any live cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PREFIX = "pi_"
OURS = (
    "status", "rank", "ranked_by", "fit_score", "fit_probability", "probability_low", "probability_high",
    "evidence",
    "outside_experience", "verdict", "override", "override_reason", "reasons_for", "reasons_against",
    "warnings", "scorecard_points", "duplicate_of_line", "existing_partner_id", "match_probability",
    "match_evidence",
    "fault_field", "fault_given", "fault_reason", "prospect_id", "line", "list_id", "model", "model_version",
    "scored_at",
)  # fmt: skip
STATUSES = ("ranked", "existing_partner", "duplicate", "fault")


def export_frame(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    statuses: Sequence[str] = STATUSES,
    surplus: bool | None = None,
) -> Any:
    """The table to be written: ranked rows by rank, then partners, duplicates and faults by line.

    Args:
        columns: Original headers.
        rows: One mapping for each row of the file: `cells` (original text in order) and any of `OURS`.
        statuses: Which rows.
        surplus: Whether there is a column for cells beyond the header; None: if a row has any.
    """
    import pandas as pd

    chosen = [r for r in rows if r["status"] in statuses]
    chosen.sort(key=lambda r: (STATUSES.index(r["status"]), r.get("rank") or 0, r["line"]))
    original = {
        _free(c, columns): [r["cells"][k] if k < len(r["cells"]) else None for r in chosen]
        for k, c in enumerate(columns)
    }
    beyond = [" | ".join(c or "" for c in r["cells"][len(columns) :]) or None for r in chosen]
    ours = {PREFIX + name: [_cell(r.get(name)) for r in chosen] for name in OURS}
    if any(beyond) if surplus is None else surplus:
        ours[PREFIX + "surplus_cells"] = beyond
    frame = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in {**original, **ours}.items()})
    for name in ("rank", "fit_score", "duplicate_of_line", "line"):
        frame[PREFIX + name] = frame[PREFIX + name].astype("Int64")
    for name in (
        "fit_probability", "probability_low", "probability_high", "scorecard_points", "match_probability"
    ):  # fmt: skip
        frame[PREFIX + name] = frame[PREFIX + name].astype("Float64")
    return frame


def _free(column: str, columns: Sequence[str]) -> str:
    """The original header; only one that looks like ours gets an underscore, so that none is lost."""
    taken = {PREFIX + name for name in OURS}
    while column in taken:
        column += "_"
        if column in columns:
            column += "_"
    return column


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value) or None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
