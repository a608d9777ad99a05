"""The digest of a queue as people read it in their mail."""

from __future__ import annotations

from typing import Any

import pytest

from serving.health.digest import digest_html

ALERT: dict[str, Any] = {
    "partner_id": "P1", "state": "at_risk", "churn_probability_90": 0.834, "reasons": [],
    "margin_at_risk": {"amount": "15376.32", "currency": "USD"}, "escalated_on": None, "due_on": "2026-11-26",
}  # fmt: skip


@pytest.mark.parametrize(("count", "said"), [(1, "<p>1 alert. "), (2, "<p>2 alerts. ")])
def test_counts_amounts_and_times_are_written_for_people(count: int, said: str) -> None:
    text = digest_html([ALERT] * count, title="Partners at risk", refreshed_at="2026-11-21T21:10:15.023129Z")
    assert said + "As of 21 November 2026, 21:10 UTC.</p>" in text
    assert ">15,376 USD</td>" in text
    assert ">83 %</td>" in text


def test_an_alert_without_an_amount_has_an_empty_cell() -> None:
    text = digest_html([{**ALERT, "margin_at_risk": None}], title="x", refreshed_at=None)
    assert "<td class=number></td>" in text
