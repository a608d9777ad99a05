"""What checking a list found, kept until it is scored; the details of rows apart from what is searched."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column and a table."""
    op.add_column("fit_lists", sa.Column("checked", sa.LargeBinary()))
    op.create_table(
        "fit_list_details",
        sa.Column("list_id", sa.String(40), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO fit_list_details SELECT list_id, line, detail FROM fit_list_rows")
    op.drop_column("fit_list_rows", "detail")


def downgrade() -> None:
    """Put everything back."""
    op.add_column("fit_list_rows", sa.Column("detail", sa.Text, nullable=False, server_default="{}"))
    op.execute(
        "UPDATE fit_list_rows SET detail = (SELECT d.detail FROM fit_list_details d "
        "WHERE d.list_id = fit_list_rows.list_id AND d.line = fit_list_rows.line)"
    )
    op.drop_table("fit_list_details")
    op.drop_column("fit_lists", "checked")
