"""Idempotency keys whose row leaves nothing of an erased person that could be checked against a guess.

Rows of before hold a bare hash over the whole request, persons included, so they are dropped: a retry of such
a request finds its lead already routed and is told so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0003"
branch_labels = None
depends_on = None


def _create(*columns: "sa.Column[str]") -> None:
    op.drop_table("idempotency_keys")
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        *columns,
        sa.Column("created_at", sa.String(32), nullable=False),
    )


def upgrade() -> None:
    """Make the table anew."""
    _create(
        sa.Column("lead_id", sa.String(200)),
        sa.Column("salt", sa.String(64)),
        sa.Column("contact_sha256", sa.String(64)),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("idempotency_keys_by_lead", "idempotency_keys", ["owner", "lead_id"])


def downgrade() -> None:
    """As it was before."""
    _create(
        sa.Column("answer", sa.Text),
        sa.Column("lease_until", sa.String(32), nullable=False),
        sa.Column("token", sa.String(40), nullable=False),
    )
