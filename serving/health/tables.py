"""Tables of health, alerts, webhooks and received events."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from serving.tables import METADATA

# One row for each night's refresh.
REFRESHES = Table(
    "health_refreshes",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("as_of", String(32), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("detail", Text, nullable=False),
)

# The last score of each partner with what it was made from, and its alert track.
HEALTH_NOW = Table(
    "health_now",
    METADATA,
    Column("partner_id", String(1000), primary_key=True),
    Column("as_of", String(32), nullable=False),
    Column("manager_id", String(200), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("points", Float, nullable=False),
    Column("numbers", LargeBinary, nullable=False),
    Column("texts", Text, nullable=False),
    Column("track", Text, nullable=False),
)

# One point for each partner and day of features.
HEALTH_HISTORY = Table(
    "health_history",
    METADATA,
    Column("partner_id", String(1000), primary_key=True),
    Column("as_of", String(32), primary_key=True),
    Column("recorded_at", String(32), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("points", Float, nullable=False),
    Column("probability", Float),
    Column("detail", Text, nullable=False),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("alert_id", String(40), primary_key=True),
    Column("partner_id", String(1000), nullable=False),
    Column("manager_id", String(200), nullable=False),
    Column("region", String(200), nullable=False),
    Column("status", String(16), nullable=False),
    Column("held_out", Boolean, nullable=False),
    Column("opened_on", String(32), nullable=False),
    Column("closed_on", String(32)),
    Column("priority", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("alerts_by_queue", "status", "manager_id", "priority"),
    Index("alerts_by_partner", "partner_id"),
)

# Every version of every alert, so that the queue of any moment can be shown as it was.
ALERT_LOG = Table(
    "alert_log",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("alert_id", String(40), nullable=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(250), nullable=False),
    Column("action", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("priority", Float, nullable=False),
    Index("alert_log_by_time", "at"),
    Index("alert_log_by_alert", "alert_id", "seq"),
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("webhook_id", String(40), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("manager_id", String(200)),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_until", String(32)),
    Column("created_at", String(32), nullable=False),
    Column("disabled_at", String(32)),
    Column("after_seq", Integer, nullable=False),
)

DELIVERIES = Table(
    "webhook_deliveries",
    METADATA,
    Column("webhook_id", String(40), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", String(32)),
    Column("status", Integer),
    Column("error", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    Index("deliveries_due", "state", "next_at"),
)

# Engagement events that came in through the API; they are lines of the lake once `lake` is set.
RECEIVED = Table(
    "received_events",
    METADATA,
    Column("event_id", String(200), primary_key=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("partner_id", String(1000), nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("row", Text, nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("lake", Boolean, nullable=False),
    # Of a correction: the partners earlier versions were counted for, as JSON.
    Column("corrects", Text),
    Index("received_waiting", "lake", "seq"),
)
