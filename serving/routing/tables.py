"""Tables of routing. Times are ISO strings in UTC, money is whole cents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from serving.tables import METADATA

# One row: every change of routing's state takes the next number, so that workers see changes in order.
CLOCK = Table(
    "routing_clock",
    METADATA,
    Column("clock_id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

# How partners stand; a partner without a row is free and idle.
STANDINGS = Table(
    "routing_partners",
    METADATA,
    Column("partner_id", String(200), primary_key=True),
    Column("load", Integer, nullable=False),
    Column("capacity", Integer),
    Column("paused_until", String(32)),
    Column("opted_out", Integer, nullable=False),
    Column("last_offer_at", String(32)),
    Column("month", String(7), nullable=False),
    Column("received", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False, index=True),
)

# Leads belong to the owner of the API key that sent them.
LEADS = Table(
    "routing_leads",
    METADATA,
    Column("owner", String(200), primary_key=True),
    Column("lead_id", String(200), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("code", String(32), nullable=False),
    Column("partner_id", String(200)),
    Column("respond_by", String(32)),
    Column("turn", Integer, nullable=False),
    Column("decision_id", String(40), nullable=False),
    Column("lead", Text, nullable=False),
    Column("conflict", Text, nullable=False),
    Column("value_cents", BigInteger),
    Column("currency", String(3)),
    Column("closed_at", String(32)),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

OFFERS = Table(
    "routing_offers",
    METADATA,
    Column("owner", String(200), primary_key=True),
    Column("lead_id", String(200), primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("decision_id", String(40), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("tier", String(200)),
    Column("region", String(400), nullable=False),
    Column("size", String(16), nullable=False),
    Column("fairness_cost", Float, nullable=False),
    Column("offered_at", String(32), nullable=False),
    Column("respond_by", String(32), nullable=False),
    Column("answered_at", String(32)),
    Column("reason", Text),
    Column("closed_at", String(32)),
    Column("value_cents", BigInteger),
    Index("routing_offers_due", "state", "respond_by"),
    Index("routing_offers_by_partner", "partner_id", "offered_at"),
)

# All candidates of a decision, packed: exclusion codes, and of the eligible both chances and the gain.
LOGS = Table(
    "routing_logs",
    METADATA,
    Column("decision_id", String(40), primary_key=True),
    Column("codes", LargeBinary, nullable=False),
    Column("scores", LargeBinary, nullable=False),
)

PRICES = Table(
    "routing_prices",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("policy_version", Integer, nullable=False),
    Column("prices", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
)

# What could name a person; the decision keeps only a salted hash of it, so erasing changes no decision.
PERSONAL = Table(
    "routing_personal",
    METADATA,
    Column("owner", String(200), primary_key=True),
    Column("lead_id", String(200), primary_key=True),
    Column("salt", String(64)),
    Column("content", Text),
    Column("erased_at", String(32)),
)

# One answered request. What names a person is a salted hash; erasing takes the salt away.
IDEMPOTENCY = Table(
    "idempotency_keys",
    METADATA,
    Column("owner", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("lead_id", String(200)),
    Column("salt", String(64)),
    Column("contact_sha256", String(64)),
    Column("answer", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("idempotency_keys_by_lead", "owner", "lead_id"),
)
TABLES = (CLOCK, STANDINGS, LEADS, OFFERS, LOGS, PRICES, PERSONAL, IDEMPOTENCY)
