"""Where partners stand at their last tier review, and the changes people decide on."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

STANDINGS = (
    sa.Column("partner_id", sa.String(200), primary_key=True),
    sa.Column("reviewed_at", sa.String(32), nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("held", sa.String(200), nullable=False),
    sa.Column("memory", sa.Text, nullable=False),
    sa.Column("chance", sa.Float),
    sa.Column("answer", sa.Text, nullable=False),
)
CHANGES = (
    sa.Column("change_id", sa.String(40), primary_key=True),
    sa.Column("partner_id", sa.String(200), nullable=False),
    sa.Column("change", sa.String(16), nullable=False),
    sa.Column("from_tier", sa.String(200), nullable=False),
    sa.Column("to_tier", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("opened_at", sa.String(32), nullable=False),
    sa.Column("reviewed_at", sa.String(32), nullable=False),
    sa.Column("policy_version", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("decided_at", sa.String(32)),
    sa.Column("decided_by", sa.String(250)),
    sa.Column("reason", sa.Text),
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table("tier_standings", *STANDINGS)
    op.create_table("tier_changes", *CHANGES)
    op.create_index("tier_changes_by_partner", "tier_changes", ["partner_id", "state"])
    op.create_index("tier_changes_by_state", "tier_changes", ["state", "change_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("tier_changes")
    op.drop_table("tier_standings")
