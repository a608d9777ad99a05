"""The tables of the state database. Times are ISO strings in UTC, so that no driver reinterprets them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData()

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", String(32), primary_key=True),
    Column("secret_sha256", String(64), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("role", String(32), nullable=False),
    Column("manager_id", String(200)),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32)),
    Column("revoked_at", String(32)),
)

# Column names of a stored feature row; kept once, since every decision of a model shares them.
LAYOUTS = Table(
    "feature_layouts",
    METADATA,
    Column("layout_sha256", String(64), primary_key=True),
    Column("columns", Text, nullable=False),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", String(40), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("entity_id", String(1000), nullable=False),
    Column("model", String(200), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("matrix_version", String(200)),
    Column("features_as_of", String(32)),
    Column("layout_sha256", String(64), nullable=False),
    Column("numbers", LargeBinary, nullable=False),
    Column("texts", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("response", Text, nullable=False),
    Index("decisions_by_entity", "entity_id", "created_at"),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(250), nullable=False),
    Column("action", String(100), nullable=False),
    Column("object", String(1000), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_sha256", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
