"""Runs the migrations on the connection, and inside the transaction, that `upgrades` opened."""

from __future__ import annotations

from alembic import context

from prismata.catalog.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite rolls back DDL as well as any other change; Alembic just does not assume so.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
