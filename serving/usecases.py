"""What the application calls: the use cases of every capability, which know no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.fit.capability import Fit
from serving.health.opening import HealthCases
from serving.replay import Replay
from serving.routing.opening import Capability as RoutingCapability
from serving.scoring import Scoring
from serving.shelf import Shelf
from serving.tiers.opening import Tiers


@dataclass(frozen=True, kw_only=True)
class UseCases:
    """What the application calls.

    Attributes:
        scoring: Scores.
        replay: Decisions.
        shelf: Models.
        health: Whether the service is ready, and the document that says why not.
        metrics: The metrics page.
        fit: Prospects and lists of them.
        tiers: Recommendations, the review list, other rules tried.
        routing: Leads.
        partner_health: Health, alerts, events and webhooks.
    """

    scoring: Scoring
    replay: Replay
    shelf: Shelf
    health: Callable[[], tuple[bool, dict[str, Any]]]
    metrics: Callable[[], bytes]
    fit: Fit
    partner_health: HealthCases
    tiers: Tiers
    routing: RoutingCapability
