"""A worker that serves a small model of fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.bundle import save_bundle
from serving.lastknown import write_json
from tests.unit.serving.world import World, open_world, write_seed


def open_fit_world(folder: Path, bundle: Any) -> World:
    """A world whose seed carries churn and fit."""
    seed = folder / "seed"
    write_seed(seed)
    kept = save_bundle(bundle, seed / "bundles" / "fit" / "3")
    import json

    champions = json.loads((seed / "champions.json").read_text())
    note = {
        "version": "3",
        "manifest_sha256": kept.manifest_sha256,
        "folder": "bundles/fit/3",
        "promoted_at": "2026-11-01T00:00:00Z",
    }
    write_json(seed / "champions.json", {**champions, "fit": note})
    return open_world(folder)


GOOD = {
    "prospect_id": "P1",
    "name": "Acme GmbH",
    "domain": "acme.com",
    "country": "DE",
    "region": "North",
    "partner_type": "Reseller",
    "motion": "resell",
    "industry": "manufacturing",
    "employee_count": 120,
    "annual_revenue_usd": 20_000_000,
    "founded_year": 2012,
}
