"""Which partners the earlier versions of a corrected event were counted for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("received_events", sa.Column("corrects", sa.Text()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("received_events", "corrects")
