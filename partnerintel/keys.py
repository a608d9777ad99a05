"""API keys from the command line."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from partnerintel.settings import Project
from partnerintel.state import opened
from serving import auth


def create(
    project: Project, *, owner: str, role: str, manager_id: str | None, days: int | None, now: datetime
) -> str:
    """A new key, shown this once."""
    expires_at = now + timedelta(days=days) if days else None
    with opened(project) as database:
        return auth.create_key(
            database,
            owner=owner,
            role=role,
            manager_id=manager_id,
            expires_at=expires_at,
            now=now,
            random=secrets.token_bytes,
        )


def listed(project: Project) -> list[dict[str, Any]]:
    """All keys without their secrets, oldest first."""
    with opened(project) as database:
        return [asdict(row) for row in auth.list_keys(database)]


def revoke(project: Project, key_id: str, *, now: datetime) -> None:
    """End a key."""
    with opened(project) as database:
        auth.revoke_key(database, key_id, now=now)
