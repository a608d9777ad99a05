"""The tables of the state database. Times are ISO strings in UTC, so that no driver reinterprets them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

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
    # Who makes it again: see serving.replay.
    Column("kind", String(32), nullable=False, server_default="score"),
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

# Immutable: a changed policy is a new version.
POLICIES = Table(
    "policies",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("author", String(250), nullable=False),
    Column("created_at", String(32), nullable=False),
)

POLICIES_IN_FORCE = Table(
    "policies_in_force",
    METADATA,
    Column("kind", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("canary_version", Integer),
    Column("canary_share", Float, nullable=False),
    Column("changed_at", String(32), nullable=False),
    Column("changed_by", String(250), nullable=False),
    Column("reason", Text, nullable=False),
)

OVERRIDES = Table(
    "overrides",
    METADATA,
    Column("override_id", String(40), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("entity_id", String(1000), nullable=False),
    Column("value", Text, nullable=False),
    Column("model_value", Text, nullable=False),
    Column("author", String(250), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("withdrawn_at", String(32)),
    Column("withdrawn_by", String(250)),
    Index("overrides_by_entity", "kind", "entity_id"),
)

JOBS = Table(
    "jobs",
    METADATA,
    Column("job_id", String(40), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("owner", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

# What happened, in the order in which it was committed; webhooks and GET /v1/events read from here.
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String(40), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("object", String(1000), nullable=False),
    Column("manager_id", String(200)),
    Column("payload", Text, nullable=False),
)

# Who is signed in to the console. The token itself is only in the browser's cookie.
CONSOLE_SESSIONS = Table(
    "console_sessions",
    METADATA,
    Column("token_sha256", String(64), primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("ended_at", String(32)),
)

# Where each partner stands at its last review: what earlier reviews left behind, and what came of this one.
TIER_STANDINGS = Table(
    "tier_standings",
    METADATA,
    Column("partner_id", String(200), primary_key=True),
    Column("reviewed_at", String(32), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("held", String(200), nullable=False),
    Column("memory", Text, nullable=False),
    Column("chance", Float),
    Column("answer", Text, nullable=False),
)

# Recommended changes, for people to decide.
TIER_CHANGES = Table(
    "tier_changes",
    METADATA,
    Column("change_id", String(40), primary_key=True),
    Column("partner_id", String(200), nullable=False),
    Column("change", String(16), nullable=False),
    Column("from_tier", String(200), nullable=False),
    Column("to_tier", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("opened_at", String(32), nullable=False),
    Column("reviewed_at", String(32), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    Column("decided_at", String(32)),
    Column("decided_by", String(250)),
    Column("reason", Text),
    Index("tier_changes_by_partner", "partner_id", "state"),
    Index("tier_changes_by_state", "state", "change_id"),
)
