"""A partner among its peers, by what was last published: nothing that would tell another partner's figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import NotFoundError
from models.benchmarks import TREE, Release
from models.tiering.peers import WITHHELD, Place, places_of, read_releases
from models.tiering.simulate import traits_of
from serving.auth import Identity
from serving.errors import UnavailableError
from serving.followed import Followed
from serving.lastknown import read_json
from serving.tiers.recommending import manager_limit
from serving.view import View

Releases = tuple[str | None, Mapping[str, Release]]


class Comparing:
    """Reads the releases that the nightly run keeps, and places partners in them.

    Args:
        view: Features in service.
        path: The file of releases; need not exist.
        ended: Partner → day its agreement ended, at a moment.
        clock: Naive UTC time.
    """

    def __init__(
        self,
        view: Callable[[], View],
        *,
        path: Path,
        ended: Callable[[datetime], Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._view, self._ended, self._clock = view, ended, clock
        self._releases = Followed[Releases](path, lambda: _read(path), empty=(None, {}))

    def of_partner(self, partner_id: str, *, identity: Identity) -> dict[str, Any]:
        """One partner's benchmarks, metric by metric.

        Raises:
            NotFoundError: Unknown, or another manager's.
            UnavailableError: No features are loaded.
        """
        view = self._view()
        if view.partners is None:
            raise UnavailableError("No partner features are loaded.")
        if not view.sees(partner_id, manager_id=manager_limit(identity)):
            raise NotFoundError("There is no such partner.")
        ended = self._ended(self._clock()).get(partner_id)
        as_of, found = self._releases()
        place = view.partners.places[partner_id]
        row = {n: c[place] for n, c in view.partners.columns.items()}
        places = [] if ended else places_of(partner_id, row, traits_of(row), found)
        warning = "The agreement has ended; a partner that left is compared with nobody."
        return {
            "partner_id": partner_id,
            "released_as_of": as_of,
            "benchmarks": [benchmark_json(p) for p in places],
            "warnings": [warning] if ended else [],
        }


def _read(path: Path) -> Releases:
    """What is kept; nothing where the file is damaged."""
    kept = read_json(path)
    try:
        return f"{kept['as_of']}T00:00:00Z", read_releases(kept["releases"])
    except (KeyError, TypeError, ValueError):
        return None, {}


def benchmark_json(place: Place) -> dict[str, Any]:
    """One figure as the contract tells it."""
    group = None if place.group is None else dict(zip(TREE, place.group, strict=False))
    return {
        "metric": place.metric.feature,
        "label": place.metric.label,
        "kind": place.metric.kind,
        "unit": place.metric.unit,
        "value": place.value,
        "peer_group": group,
        "peers_at_least": None if group is None else place.peers,
        "percentile": place.percentile,
        "quarters": None if place.quarters is None else list(place.quarters),
        "withheld": {"code": place.withheld, "reason": WITHHELD[place.withheld]} if place.withheld else None,
    }
