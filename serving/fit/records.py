"""Rows of a list as they are stored: what is searched and sorted by in columns, the rest as one text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from serving.decisions import canonical
from serving.fit.intake import Double, Existing, Fault, Intake, ListRow
from serving.fit.ranking import Ranked


def row_records(list_id: str, intake: Intake, ranked: Sequence[Ranked]) -> Iterator[dict[str, Any]]:
    """One record for each row of the file, by line; each is made when it is asked for."""
    cells = dict(zip(intake.table.lines, intake.table.rows, strict=True))
    cells |= {f.line: f.given for f in intake.table.faults}
    at = [intake.table.columns.index(intake.mapping[f]) for f in ("name", "domain") if f in intake.mapping]
    places: list[tuple[int, Callable[..., dict[str, Any]], Any]] = [
        *((r.row.line, _ranked, r) for r in ranked),
        *((d.row.line, _double, d) for d in intake.doubles),
        *((e.row.line, _existing, e) for e in intake.existing),
        *((f.line, partial(_fault, at=at), f) for f in intake.faults),
    ]
    for _, made_by, one in sorted(places, key=lambda place: place[0]):
        yield made_by(list_id, one, cells)


def _double(list_id: str, double: Double, cells: Mapping[int, Any]) -> dict[str, Any]:
    detail = {
        "duplicate_of_line": double.of_line,
        "match_probability": double.probability,
        "match_evidence": list(double.evidence),
    }
    return _record(list_id, "duplicate", double.row, cells, detail)


def _existing(list_id: str, known: Existing, cells: Mapping[int, Any]) -> dict[str, Any]:
    detail = {
        "existing_partner_id": known.partner_id,
        "match_probability": known.probability,
        "match_evidence": list(known.evidence),
    }
    return _record(list_id, "existing_partner", known.row, cells, detail)


def _ranked(list_id: str, one: Ranked, cells: Mapping[int, Any]) -> dict[str, Any]:
    detail = {
        "probability_low": one.low,
        "probability_high": one.high,
        "outside_experience": one.outside,
        "scorecard_points": one.points,
        "reasons_for": list(one.reasons_for),
        "reasons_against": list(one.reasons_against),
        "warnings": list(one.warnings),
        "model": one.model,
        "ranked_by": one.ranked_by,
    }
    record = _record(list_id, "ranked", one.row, cells, detail)
    return {
        **record,
        "rank": one.rank,
        "fit_score": one.fit_score,
        "probability": one.probability,
        "evidence": one.evidence,
        "verdict": one.verdict,
    }


def _record(
    list_id: str, status: str, row: ListRow, cells: Mapping[int, Any], detail: Mapping[str, Any]
) -> dict[str, Any]:
    company = str(row.values.get("name") or row.values.get("domain") or "")
    searched = " ".join([company, str(row.values.get("domain") or ""), row.prospect_id]).casefold()
    values = {k: v for k, v in row.values.items() if v is not None}
    return {
        "list_id": list_id,
        "line": row.line,
        "status": status,
        "rank": None,
        "prospect_id": row.prospect_id,
        "company": company[:500],
        "country": str(row.values.get("country") or "")[:10],
        "partner_type": str(row.values.get("partner_type") or "")[:200],
        "motion": str(row.values.get("motion") or "")[:200],
        "fit_score": None,
        "probability": None,
        "evidence": "",
        "verdict": "",
        "search": searched,
        "detail": canonical({"cells": list(cells[row.line]), "values": values, **detail}),
    }


def _fault(list_id: str, fault: Fault, cells: Mapping[int, Any], *, at: Sequence[int]) -> dict[str, Any]:
    """A faulty row; `at`: where the company may be named, so that people find it by more than its line."""
    detail = {
        "fault_field": fault.column or fault.field,
        "fault_given": fault.given,
        "fault_reason": fault.reason,
    }
    row, given = ListRow(fault.line, f"line-{fault.line}", {}), cells[fault.line]
    company = next((str(given[i]) for i in at if i < len(given) and given[i]), "")
    record = _record(list_id, "fault", row, cells, detail)
    return {**record, "company": company[:500], "search": f"{company} {row.prospect_id}".casefold()}
