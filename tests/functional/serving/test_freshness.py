"""An event sent to the running service changes the served score soon after."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.functional.serving.conftest import STIRRED, Served

# Five seconds on a quiet machine; the rest is for the other tests that share this one.
LONGEST_SECONDS = 90.0


def logins(served: Served, partner: str) -> float:
    answer = served.call("GET", f"/v1/partners/{partner}/churn?horizons_days=90&max_reasons=20").json()
    made = answer["churn_probability"]["90"]["decision_id"]
    return float(served.call("GET", f"/v1/decisions/{made}").json()["features"]["login_count_30d"] or 0.0)


def test_an_event_that_arrives_changes_the_served_score(served: Served) -> None:
    partner = STIRRED[1]
    before = logins(served, partner)
    at = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    events = [
        {"event_id": f"fresh-{i}", "partner_id": partner, "event_type": "portal_login", "event_at": at}
        for i in range(25)
    ]
    answer = served.call("POST", "/v1/events", json={"events": events})
    assert answer.json() == {"accepted": 25, "repeated": 0, "errors": []}
    assert served.call("POST", "/v1/events", json={"events": events}).json()["repeated"] == 25
    deadline = time.monotonic() + LONGEST_SECONDS
    while (now := logins(served, partner)) < before + 20 and time.monotonic() < deadline:
        time.sleep(0.3)
    assert now >= before + 20
