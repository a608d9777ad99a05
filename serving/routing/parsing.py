"""From a request to what the use cases take, with a pointer at every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from data.domains import bare_domain
from data.errors import InputError
from models.routing.settings import RoutingSettings
from serving.problems import from_validation
from serving.routing.drafting import Wanted
from serving.routing.lead import Lead, cents_of
from serving.routing.schemas import LeadRequest


def wanted_of(body: LeadRequest, settings: RoutingSettings) -> Wanted:
    """What is asked for one lead."""
    value, currency = None, None
    if body.estimated_value is not None:
        currency = body.estimated_value.currency
        value = cents_of(body.estimated_value.amount, pointer="/estimated_value/amount")
    lead = Lead(
        lead_id=body.lead_id,
        company=body.company,
        domain=bare_domain(body.domain or "") or None,
        country=body.country,
        region=body.region,
        city=body.city,
        industry=body.industry,
        employee_count=body.employee_count,
        products=tuple(dict.fromkeys(body.products)),
        certifications=tuple(dict.fromkeys(body.required_certifications)),
        value_cents=value,
        currency=currency,
        value_usd=settings.in_usd(value, currency),
    )
    return Wanted(lead, top_k=body.top_k, max_reasons=body.max_reasons, resolved=body.conflict_resolved)


def personal_of(body: LeadRequest) -> dict[str, str]:
    """What names a person."""
    return {} if body.contact is None else body.contact.model_dump(exclude_none=True)


def told_apart(body: LeadRequest) -> dict[str, Any]:
    """The request as an idempotency key tells it from others, without what names a person."""
    return body.model_dump(mode="json", exclude={"contact"})


def rows_of(rows: Sequence[Any], settings: RoutingSettings) -> tuple[list[Wanted], list[Mapping[str, Any]]]:
    """Good leads of a batch, each id once, and faulty rows as entries under `errors`."""
    good: dict[str, Wanted] = {}
    faults: list[Mapping[str, Any]] = []
    for number, row in enumerate(rows):
        try:
            body = LeadRequest.model_validate(row)
            wanted = replace(wanted_of(body, settings), row=number)
            if body.contact is not None:
                raise InputError("a batch takes no contacts", pointer="/contact")
            if body.lead_id in good:
                raise InputError("this lead stands twice in the batch", pointer="/lead_id")
            good[body.lead_id] = wanted
        except ValidationError as error:
            found = from_validation(error.errors()).errors
            faults.append(_fault(number, row, [(e.pointer, e.detail) for e in found]))
        except InputError as error:
            faults.append(_fault(number, row, [(error.pointer, error.message)]))
    return list(good.values()), faults


def moment_of(text: str | None, *, pointer: str) -> datetime | None:
    """Naive UTC from RFC 3339.

    Raises:
        InputError: There is no such moment.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise InputError("no such date or time", pointer=pointer) from None


def day_of(text: str | None, *, pointer: str) -> datetime | None:
    """The first moment of a day, naive UTC.

    Raises:
        InputError: There is no such day.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise InputError("There is no such day.", allowed="such as 2026-01-31", pointer=pointer) from None


def _fault(number: int, row: Any, found: Sequence[tuple[str, str]]) -> dict[str, Any]:
    lead_id = row.get("lead_id") if isinstance(row, dict) else None
    errors = [{"pointer": f"/leads/{number}{pointer}", "detail": detail} for pointer, detail in found]
    return {"row": number, "lead_id": lead_id if isinstance(lead_id, str) else None, "errors": errors}
