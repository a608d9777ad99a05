"""Lead routing: leads, offers, how partners stand, candidates of decisions, prices, idempotency keys."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0006"
branch_labels = None
depends_on = None


def _key(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _some(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


STANDINGS = (
    _key("partner_id", sa.String(200)), _some("load", sa.Integer), sa.Column("capacity", sa.Integer),
    sa.Column("paused_until", sa.String(32)), _some("opted_out", sa.Integer),
    sa.Column("last_offer_at", sa.String(32)), _some("month", sa.String(7)), _some("received", sa.Integer),
    sa.Column("seq", sa.BigInteger, nullable=False, index=True),
)  # fmt: skip
LEADS = (
    _key("owner", sa.String(200)), _key("lead_id", sa.String(200)), _some("state", sa.String(16)),
    _some("code", sa.String(32)), sa.Column("partner_id", sa.String(200)),
    sa.Column("respond_by", sa.String(32)), _some("turn", sa.Integer), _some("decision_id", sa.String(40)),
    _some("lead", sa.Text), _some("conflict", sa.Text), sa.Column("value_cents", sa.BigInteger),
    sa.Column("currency", sa.String(3)), sa.Column("closed_at", sa.String(32)),
    _some("created_at", sa.String(32)), _some("updated_at", sa.String(32)),
)  # fmt: skip
OFFERS = (
    _key("owner", sa.String(200)), _key("lead_id", sa.String(200)), _key("turn", sa.Integer),
    _some("partner_id", sa.String(200)), _some("state", sa.String(16)), _some("decision_id", sa.String(40)),
    _some("propensity", sa.Float), _some("policy_version", sa.Integer), sa.Column("tier", sa.String(200)),
    _some("region", sa.String(400)), _some("size", sa.String(16)), _some("fairness_cost", sa.Float),
    _some("offered_at", sa.String(32)), _some("respond_by", sa.String(32)),
    sa.Column("answered_at", sa.String(32)), sa.Column("reason", sa.Text),
    sa.Column("closed_at", sa.String(32)), sa.Column("value_cents", sa.BigInteger),
)  # fmt: skip
LOGS = (_key("decision_id", sa.String(40)), _some("codes", sa.LargeBinary), _some("scores", sa.LargeBinary))
PRICES = (
    _key("version", sa.Integer), _some("policy_version", sa.Integer), _some("prices", sa.Text),
    _some("about", sa.Text), _some("created_at", sa.String(32)),
)  # fmt: skip
PERSONAL = (
    _key("owner", sa.String(200)), _key("lead_id", sa.String(200)), sa.Column("salt", sa.String(64)),
    sa.Column("content", sa.Text), sa.Column("erased_at", sa.String(32)),
)  # fmt: skip
IDEMPOTENCY = (
    _key("owner", sa.String(200)), _key("key", sa.String(200)), _some("body_sha256", sa.String(64)),
    sa.Column("answer", sa.Text), _some("lease_until", sa.String(32)), _some("token", sa.String(40)),
    _some("created_at", sa.String(32)),
)  # fmt: skip
TABLES = {
    "routing_clock": (_key("clock_id", sa.Integer), _some("seq", sa.BigInteger)),
    "routing_partners": STANDINGS,
    "routing_leads": LEADS,
    "routing_offers": OFFERS,
    "routing_logs": LOGS,
    "routing_prices": PRICES,
    "routing_personal": PERSONAL,
    "idempotency_keys": IDEMPOTENCY,
}


def upgrade() -> None:
    """Create the tables, and the one row of the clock."""
    for name, columns in TABLES.items():
        op.create_table(name, *columns)
    op.create_index("routing_offers_due", "routing_offers", ["state", "respond_by"])
    op.create_index("routing_offers_by_partner", "routing_offers", ["partner_id", "offered_at"])
    op.execute("INSERT INTO routing_clock (clock_id, seq) VALUES (1, 0)")


def downgrade() -> None:
    """Drop them."""
    for name in reversed(TABLES):
        op.drop_table(name)
