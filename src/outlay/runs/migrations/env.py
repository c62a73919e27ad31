"""Runs the migrations on the connection that :mod:`outlay.runs.store` opened."""

from alembic import context

from outlay.runs.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
