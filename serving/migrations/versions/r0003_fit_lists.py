"""Lists of prospects, their rows, and what came of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0005"
branch_labels = None
depends_on = None

LISTS = (
    sa.Column("list_id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("scored_at", sa.String(32)),
    sa.Column("motion", sa.String(200)),
    sa.Column("columns", sa.Text, nullable=False),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("counts", sa.Text, nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("models", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("job_id", sa.String(40)),
    sa.Column("content", sa.LargeBinary),
)
ROWS = (
    sa.Column("list_id", sa.String(40), primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("rank", sa.Integer),
    sa.Column("prospect_id", sa.String(200), nullable=False),
    sa.Column("company", sa.String(500), nullable=False),
    sa.Column("country", sa.String(10), nullable=False),
    sa.Column("partner_type", sa.String(200), nullable=False),
    sa.Column("motion", sa.String(200), nullable=False),
    sa.Column("fit_score", sa.Integer),
    sa.Column("probability", sa.Float),
    sa.Column("evidence", sa.String(16), nullable=False),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("search", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
OUTCOMES = (
    sa.Column("list_id", sa.String(40), primary_key=True),
    sa.Column("prospect_id", sa.String(200), primary_key=True),
    sa.Column("succeeded", sa.Integer, nullable=False),
    sa.Column("posted_at", sa.String(32), nullable=False),
    sa.Column("posted_by", sa.String(250), nullable=False),
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table("fit_lists", *LISTS)
    op.create_index("fit_lists_by_owner", "fit_lists", ["owner", "created_at"])
    op.create_table("fit_list_rows", *ROWS)
    op.create_index("fit_list_rows_by_rank", "fit_list_rows", ["list_id", "status", "rank"])
    op.create_index("fit_list_rows_by_prospect", "fit_list_rows", ["list_id", "prospect_id"])
    op.create_table("fit_list_outcomes", *OUTCOMES)


def downgrade() -> None:
    """Remove them."""
    for name in ("fit_list_outcomes", "fit_list_rows", "fit_lists"):
        op.drop_table(name)
