"""Whether the service is ready, in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from serving.settings import ServingSettings
from serving.view import View


def health(
    view: View, *, settings: ServingSettings, now: datetime, draining: bool
) -> tuple[bool, dict[str, Any]]:
    """Whether the service is ready, and the document of /readyz.

    Not ready: stopping, or no model at all. Ready but degraded: an older model or older features answer
    because the newest could not be had; the reasons say which.
    """
    if draining:
        return False, {"status": "not_ready", "reasons": ["The service is stopping."]}
    reasons = [f"{subject}: {fault}" for subject, fault in sorted(view.faults.items())]
    if not view.models:
        return False, {"status": "not_ready", "reasons": [*reasons, "No model is in service."]}
    partners = view.partners
    if partners is not None and partners.degraded:
        age = now - partners.confirmed_at
        if age > timedelta(hours=settings.snapshot_max_age_hours):
            reasons.append("features: expired; known partners are answered 503")
    return True, {"status": "degraded" if reasons else "ok", "reasons": reasons}


def drain_mark(workspace: Path, server_pid: int) -> Path:
    """File whose presence tells every worker of a server that it is about to be stopped."""
    return workspace / "serving" / f"draining-{server_pid}"


def draining(workspace: Path, *, server_pid: int) -> Callable[[], bool]:
    """A check for the drain mark of this worker's server."""
    return drain_mark(workspace, server_pid).exists
