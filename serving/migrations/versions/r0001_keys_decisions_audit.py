"""Keys, decisions with their feature layouts, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEYS = (
    sa.Column("key_id", sa.String(32), primary_key=True),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("manager_id", sa.String(200)),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("expires_at", sa.String(32)),
    sa.Column("revoked_at", sa.String(32)),
)
LAYOUTS = (
    sa.Column("layout_sha256", sa.String(64), primary_key=True),
    sa.Column("columns", sa.Text, nullable=False),
)
DECISIONS = (
    sa.Column("decision_id", sa.String(40), primary_key=True),
    sa.Column("created_at", sa.String(32), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("entity_id", sa.String(1000), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("model_version", sa.String(64), nullable=False),
    sa.Column("manifest_sha256", sa.String(64), nullable=False),
    sa.Column("matrix_version", sa.String(200)),
    sa.Column("features_as_of", sa.String(32)),
    sa.Column("layout_sha256", sa.String(64), nullable=False),
    sa.Column("numbers", sa.LargeBinary, nullable=False),
    sa.Column("texts", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("response", sa.Text, nullable=False),
)
AUDIT = (
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("actor", sa.String(250), nullable=False),
    sa.Column("action", sa.String(100), nullable=False),
    sa.Column("object", sa.String(1000), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous_sha256", sa.String(64), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table("api_keys", *KEYS)
    op.create_table("feature_layouts", *LAYOUTS)
    op.create_table("decisions", *DECISIONS)
    op.create_index("decisions_by_entity", "decisions", ["entity_id", "created_at"])
    op.create_table("audit_log", *AUDIT)


def downgrade() -> None:
    """Drop them."""
    for name in ("audit_log", "decisions", "feature_layouts", "api_keys"):
        op.drop_table(name)
