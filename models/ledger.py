"""Which versions there are and which one serves: SQL rows of our own, changed by compare-and-swap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, insert, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from data.errors import NotFoundError, PromotionConflictError

WAIT_SECONDS = 30
META = MetaData()
VERSIONS = Table(
    "versions",
    META,
    Column("model", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("manifest_sha256", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("source", String, nullable=False),
    Column("tags", String, nullable=False),
)
CHAMPIONS = Table(
    "champions",
    META,
    Column("model", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("source", String, nullable=False),
    Column("manifest_sha256", String, nullable=False),
    Column("promoted_at", String, nullable=False),
    Column("promoted_by", String, nullable=False),
    Column("reason", String, nullable=False),
)
PROMOTIONS = Table(
    "promotions",
    META,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("replaced", Integer),
    Column("promoted_at", String, nullable=False),
    Column("promoted_by", String, nullable=False),
    Column("reason", String, nullable=False),
)


@dataclass(frozen=True)
class Version:
    """A registered version.

    Attributes:
        model: Model name.
        version: Number, from 1.
        manifest_sha256: Identity of its artifact.
        run_id: MLflow run it came from.
        source: Where its artifact lies; relative to the workspace when inside it.
        tags: Facts given at registration.
    """

    model: str
    version: int
    manifest_sha256: str
    run_id: str
    source: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Champion:
    """The version that serves.

    Attributes:
        model: Model name.
        version: Its number.
        source: Where its artifact lies.
        manifest_sha256: Identity its artifact must have.
        promoted_at: When it was promoted, naive UTC.
        promoted_by: Who promoted it.
        reason: Why.
    """

    model: str
    version: int
    source: str
    manifest_sha256: str
    promoted_at: datetime
    promoted_by: str
    reason: str


class Ledger:
    """The rows of one registry database; the file is made by the first write.

    Args:
        path: SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None

    def models(self) -> list[str]:
        """Models with a version, sorted."""
        rows = self._read(select(VERSIONS.c.model).distinct().order_by(VERSIONS.c.model))
        return [str(row.model) for row in rows]

    def versions(self, model: str) -> list[Version]:
        """Versions of a model, oldest first."""
        query = select(VERSIONS).where(VERSIONS.c.model == model).order_by(VERSIONS.c.version)
        return [Version(**{**row._asdict(), "tags": json.loads(row.tags)}) for row in self._read(query)]

    def version(self, model: str, version: int) -> Version:
        """One version.

        Raises:
            NotFoundError: there is no such version.
        """
        known = {v.version: v for v in self.versions(model)}
        if version not in known:
            raise NotFoundError(
                f"There is no version {version} of model {model}.",
                allowed=", ".join(map(str, known)) or "none yet",
                next_step=f"Train one with `partnerintel train {model}`.",
            )
        return known[version]

    def champion(self, model: str) -> Champion | None:
        """The version that serves, or None."""
        for row in self._read(select(CHAMPIONS).where(CHAMPIONS.c.model == model)):
            return Champion(**{**row._asdict(), "promoted_at": datetime.fromisoformat(row.promoted_at)})
        return None

    def add(self, version: Version) -> None:
        """Record a version."""
        values = {**vars(version), "tags": json.dumps(dict(version.tags), sort_keys=True)}
        with self._writing() as connection:
            connection.execute(insert(VERSIONS), values)

    def promote(self, champion: Champion, *, expected: int | None) -> None:
        """Make a version the champion if the champion still is the expected one.

        Raises:
            PromotionConflictError: it is another by now.
        """
        values = {**vars(champion), "promoted_at": _text(champion.promoted_at)}
        with self._writing() as connection:
            if not _swapped(connection, values, expected):
                now = connection.execute(
                    select(CHAMPIONS.c.version).where(CHAMPIONS.c.model == champion.model)
                ).scalar()
                raise PromotionConflictError(
                    f"The champion of {champion.model} is version {now or 'none'}, not {expected or 'none'}: "
                    "another promotion came first.",
                    next_step="Compare with the new champion, then promote again.",
                )
            history = {k: values[k] for k in ("model", "version", "promoted_at", "promoted_by", "reason")}
            connection.execute(insert(PROMOTIONS), {**history, "replaced": expected})

    def promotions(self, model: str) -> list[Mapping[str, Any]]:
        """What was promoted when, by whom and why, oldest first."""
        query = select(PROMOTIONS).where(PROMOTIONS.c.model == model).order_by(PROMOTIONS.c.id)
        return [row._asdict() for row in self._read(query)]

    def _read(self, query: Any) -> list[Any]:
        if not self.path.is_file():
            return []
        with self._open().connect() as connection:
            return list(connection.execute(query))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open().connect().execution_options(writing=True) as connection, connection.begin():
            META.create_all(connection)
            yield connection

    def _open(self) -> Engine:
        if self._engine is None:
            engine = create_engine(
                f"sqlite:///{self.path}", poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS}
            )
            event.listen(engine, "connect", _manual_transactions)
            event.listen(engine, "begin", _begin)
            self._engine = engine
        return self._engine


def _swapped(connection: Connection, values: dict[str, Any], expected: int | None) -> bool:
    if expected is None:
        try:
            connection.execute(insert(CHAMPIONS), values)
        except IntegrityError:
            return False
        return True
    changed = connection.execute(
        update(CHAMPIONS)
        .where(CHAMPIONS.c.model == values["model"], CHAMPIONS.c.version == expected)
        .values(values)
    )
    return changed.rowcount == 1


def _text(at: datetime) -> str:
    plain = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return plain.isoformat()


def _manual_transactions(connection: Any, _record: Any) -> None:
    # The driver's own transactions begin late; ours say themselves when, and as what.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: Connection) -> None:
    # A writer takes the lock before it reads, so that no two promotions see the same champion.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
