"""The workspace's database, for commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from partnerintel.settings import Project

if TYPE_CHECKING:
    from serving.state import Database


@contextmanager
def opened(project: Project) -> Iterator[Database]:
    """The database, at the newest schema; closed at the end."""
    from serving.state import Database

    database = Database(project.serving.database(project.workspace.root))
    try:
        database.migrate()
        yield database
    finally:
        database.close()
