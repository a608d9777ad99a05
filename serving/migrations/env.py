"""What alembic runs: the revisions, on the connection and in the transaction the caller opened."""

from alembic import context

from serving.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
