"""Small rosters of partners for the tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from models.routing.eligibility import Asked, Standing
from models.routing.roster import Roster

LEAD = Asked("L1", "DE", "BY", "acme.example", ("cloud",))


def partners(*rows: dict[str, Any]) -> Any:
    """A frame of partners; what is not given is the same for all: DE, silver, ten leads at once."""
    usual: dict[str, Any] = {
        "tier": "silver", "partner_type": "reseller", "country": "DE", "region": "BY", "employee_count": 30.0,
        "domain": None, "territories": [["DE", ""]], "certifications": [], "capacity_count": 10.0,
        "ended": False,
    }  # fmt: skip
    filled = [{"partner_id": f"P{n:03}", **usual, **row} for n, row in enumerate(rows)]
    frame = pd.DataFrame(filled).set_index("partner_id").sort_index()
    for name in ("territories", "certifications"):
        frame[name] = [json.dumps(v) for v in frame[name]]
    return frame


def roster(*rows: dict[str, Any]) -> Roster:
    """The same as a roster."""
    return Roster.of(partners(*rows))


def equals(count: int) -> Roster:
    """Partners that differ in nothing but their id."""
    return roster(*({} for _ in range(count)))


def standing(**given: Any) -> Standing:
    """Idle but for what is given."""
    return Standing(**{**vars(Standing.idle()), **given})


def same(count: int, gain: float = 0.5) -> Any:
    """Equal gains."""
    return np.full(count, gain)
