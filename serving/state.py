"""The state database: keys, decisions, audit log. SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from data.errors import ConfigError

BUSY_MILLISECONDS = 5_000
# Any constant: it names the lock under which one worker migrates while the others wait.
MIGRATION_LOCK = 7_203_114
MIGRATIONS = Path(__file__).parent / "migrations"


def iso(at: datetime) -> str:
    """A naive UTC time as RFC 3339 with microseconds, so that text order is time order."""
    return at.isoformat(timespec="microseconds") + "Z"


class Database:
    """One engine with two ways in: `read()` and `write()`.

    SQLite runs in WAL mode with `synchronous=FULL`: what was acknowledged survives a power cut. A write
    begins `IMMEDIATE`, so that two workers queue instead of failing halfway.

    Args:
        url: SQLAlchemy URL.

    Raises:
        ConfigError: The URL cannot be parsed or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose statements see one state."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or wholly undone by an exception."""
        with self.engine.connect().execution_options(immediate=True) as connection, connection.begin():
            yield connection

    def migrate(self) -> None:
        """Bring the schema to the newest revision; safe when several workers boot at once."""
        if self.is_sqlite:
            self._switch_to_wal()
        with self.write() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            _upgrade(connection)

    def forget(self) -> None:
        """Drop what SQLite's log still holds of overwritten rows, as far as no reader needs it."""
        if self.is_sqlite:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _switch_to_wal(self) -> None:
        """WAL is a property of the file. The switch ignores the busy timeout, hence the patience here."""
        for attempt in range(50):
            try:
                raw = self.engine.raw_connection()
                raw.cursor().execute("PRAGMA journal_mode=WAL")
                raw.close()
                return
            except sqlite3.OperationalError:
                if attempt == 49:
                    raise
                time.sleep(0.1)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite", hide_parameters=True
        )
    except Exception as error:
        raise ConfigError(
            f"serving.database_url cannot be used: {type(error).__name__}.",
            allowed="sqlite:///path/state.db or postgresql://user@host/database (with the `postgres` extra)",
            pointer="serving.database_url",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: Any, _: Any) -> None:
    # The driver must not begin transactions by itself, or IMMEDIATE cannot be asked for.
    connection.isolation_level = None
    # secure_delete: what was erased is overwritten, not left in free pages of the file.
    always = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
    for pragma in (f"busy_timeout={BUSY_MILLISECONDS}", *always):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
