"""What an operator may set about the service: the `serving:` section of partnerintel.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class ServingSettings(BaseModel):
    """Settings of the service; every one has a default.

    Attributes:
        host: IP address to bind; anything but loopback needs a TLS-terminating proxy in front.
        port: TCP port.
        workers: Processes that answer.
        threads: Requests computed at once in one worker.
        max_body_bytes: Largest request body.
        max_upload_bytes: Largest list that can be uploaded; only the upload route takes so much.
        body_budget_bytes: Bodies held at once in one worker; beyond it callers get 429.
        body_timeout_seconds: A body must have arrived completely by then; an upload has one more second for
            each MB of `max_upload_bytes`.
        request_timeout_seconds: An answer is given up (504) after that.
        refresh_seconds: How often champion and features are looked up.
        stale_after_hours: Features older than this are marked `stale`.
        snapshot_max_age_hours: With the feature store dead, the last-known features answer for this long.
        database_url: SQLAlchemy URL of keys, decisions and audit log; none: state.db in the workspace.
        docs: Whether /openapi.json and /docs answer.
        console: Whether the pages under /console answer.
        console_session_hours: A sign-in to the console ends after this long.
        denials_per_minute: Failed logins from one address answered 401; further ones get 429.
        webhook_hosts: Hosts of your own network that webhooks may call, as `host` or `host:port`.
        webhooks: Whether this service delivers webhooks.
        drain_seconds: Time between "not ready" and the stop, for load balancers to notice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=4, ge=1, le=64)
    max_body_bytes: int = Field(default=4 * MIB, ge=1024, le=64 * MIB)
    max_upload_bytes: int = Field(default=32 * MIB, ge=1024, le=64 * MIB)
    body_budget_bytes: int = Field(default=64 * MIB, ge=MIB)
    body_timeout_seconds: float = Field(default=10.0, gt=0, le=300)
    request_timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    refresh_seconds: float = Field(default=2.0, gt=0, le=3600)
    stale_after_hours: float = Field(default=48.0, gt=0)
    snapshot_max_age_hours: float = Field(default=168.0, gt=0)
    database_url: str | None = None
    docs: bool = True
    console: bool = True
    console_session_hours: float = Field(default=12.0, gt=0, le=720)
    denials_per_minute: int = Field(default=20, ge=1)
    webhook_hosts: tuple[str, ...] = ()
    webhooks: bool = True
    drain_seconds: float = Field(default=2.0, ge=0, le=300)

    def database(self, workspace: Path) -> str:
        """URL of the state database; SQLite in the workspace unless another was given."""
        return self.database_url or f"sqlite:///{workspace / 'state.db'}"
