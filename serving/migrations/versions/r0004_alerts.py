"""Health, alerts, webhooks and received events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID, _TIME, _LONG = sa.String(40), sa.String(32), sa.String(1000)
TABLES = {
    "health_refreshes": (
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    ),
    "health_now": (
        sa.Column("partner_id", _LONG, primary_key=True),
        sa.Column("as_of", _TIME, nullable=False),
        sa.Column("manager_id", sa.String(200), nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("points", sa.Float, nullable=False),
        sa.Column("numbers", sa.LargeBinary, nullable=False),
        sa.Column("texts", sa.Text, nullable=False),
        sa.Column("track", sa.Text, nullable=False),
    ),
    "health_history": (
        sa.Column("partner_id", _LONG, primary_key=True),
        sa.Column("as_of", _TIME, primary_key=True),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("points", sa.Float, nullable=False),
        sa.Column("probability", sa.Float),
        sa.Column("detail", sa.Text, nullable=False),
    ),
    "alerts": (
        sa.Column("alert_id", _ID, primary_key=True),
        sa.Column("partner_id", _LONG, nullable=False),
        sa.Column("manager_id", sa.String(200), nullable=False),
        sa.Column("region", sa.String(200), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("opened_on", _TIME, nullable=False),
        sa.Column("closed_on", _TIME),
        sa.Column("priority", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    ),
    "alert_log": (
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("action", _TIME, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("priority", sa.Float, nullable=False),
    ),
    "webhooks": (
        sa.Column("webhook_id", _ID, primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("manager_id", sa.String(200)),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("types", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_until", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("disabled_at", _TIME),
        sa.Column("after_seq", sa.Integer, nullable=False),
    ),
    "webhook_deliveries": (
        sa.Column("webhook_id", _ID, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("event_id", _ID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", _TIME),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    ),
    "received_events": (
        sa.Column("event_id", sa.String(200), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False, unique=True),
        sa.Column("partner_id", _LONG, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("row", sa.Text, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("lake", sa.Boolean, nullable=False),
    ),
}
INDEXES = (
    ("alerts_by_queue", "alerts", ["status", "manager_id", "priority"]),
    ("alerts_by_partner", "alerts", ["partner_id"]),
    ("alert_log_by_time", "alert_log", ["at"]),
    ("alert_log_by_alert", "alert_log", ["alert_id", "seq"]),
    ("deliveries_due", "webhook_deliveries", ["state", "next_at"]),
    ("received_waiting", "received_events", ["lake", "seq"]),
)


def upgrade() -> None:
    """Create the tables."""
    for name, columns in TABLES.items():
        op.create_table(name, *columns)
    for name, table, indexed in INDEXES:
        op.create_index(name, table, indexed)


def downgrade() -> None:
    """Drop them."""
    for name in reversed(TABLES):
        op.drop_table(name)
