"""A product with partners to route to, and the requests of cases L1 and L5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np

from features.matrix import FeatureMatrix
from serving.partners import Shelter
from serving.shared import utc_now
from serving.view import Partners
from tests.unit.routing.shop import fill_lake, partner_features

PARTNERS = 300
COUNTRIES = ("DE", "FR", "US")


def with_partners(root: Path) -> None:
    """Partners in the lake, and their features as last known: the rules route, no store is asked."""
    frame = partner_features(PARTNERS)
    fill_lake(root / "lake", frame)
    now = utc_now()
    as_of = np.full(PARTNERS, np.datetime64(now.date(), "us"))
    shelter = Shelter(root / "matrix", root / "serving" / "partners.json")
    shelter.write(Partners(FeatureMatrix.of(frame, features_as_of=as_of), {}, now), with_matrix=True)


def route(client: httpx.Client, url: str, headers: dict[str, str], number: int) -> httpx.Response:
    """A lead of its own."""
    lead: dict[str, Any] = {
        "lead_id": f"L{number}",
        "company": f"Company {number}",
        "country": COUNTRIES[number % len(COUNTRIES)],
        "employee_count": 10 + number % 900,
        "estimated_value": {"amount": str(1_000 + number % 90_000), "currency": "EUR"},
    }
    key = {**headers, "idempotency-key": f"key-{number}"}
    return client.post(f"{url}/v1/leads/route", json=lead, headers=key)
