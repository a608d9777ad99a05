"""What all capabilities share: policies, overrides, jobs, events to be told, kinds of decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POLICIES = (
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("author", sa.String(250), nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
)
IN_FORCE = (
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("canary_version", sa.Integer),
    sa.Column("canary_share", sa.Float, nullable=False),
    sa.Column("changed_at", sa.String(32), nullable=False),
    sa.Column("changed_by", sa.String(250), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
OVERRIDES = (
    sa.Column("override_id", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("entity_id", sa.String(1000), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("model_value", sa.Text, nullable=False),
    sa.Column("author", sa.String(250), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("expires_at", sa.String(32), nullable=False),
    sa.Column("withdrawn_at", sa.String(32)),
    sa.Column("withdrawn_by", sa.String(250)),
)
JOBS = (
    sa.Column("job_id", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("updated_at", sa.String(32), nullable=False),
)
OUTBOX = (
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.String(40), nullable=False, unique=True),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("object", sa.String(1000), nullable=False),
    sa.Column("manager_id", sa.String(200)),
    sa.Column("payload", sa.Text, nullable=False),
)


def upgrade() -> None:
    """Create the tables."""
    op.add_column("decisions", sa.Column("kind", sa.String(32), nullable=False, server_default="score"))
    op.create_table("policies", *POLICIES)
    op.create_table("policies_in_force", *IN_FORCE)
    op.create_table("overrides", *OVERRIDES)
    op.create_index("overrides_by_entity", "overrides", ["kind", "entity_id"])
    op.create_table("jobs", *JOBS)
    op.create_table("outbox", *OUTBOX)


def downgrade() -> None:
    """Drop them."""
    for name in ("outbox", "jobs", "overrides", "policies_in_force", "policies"):
        op.drop_table(name)
    op.drop_column("decisions", "kind")
