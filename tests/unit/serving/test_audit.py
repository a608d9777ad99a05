from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from serving import audit
from serving.state import Database
from serving.tables import AUDIT_LOG
from tests.unit.serving.world import NOW


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()
    for i in range(8):
        audit.append(database, at=NOW, actor="Kim", action="key.create", object=f"k{i}", detail={"n": i})
    yield database
    database.close()


def test_the_chain_holds_as_written(database: Database) -> None:
    assert audit.broken_rows(database) == []
    assert audit.head(database)[0] == 8


@pytest.mark.parametrize("column", ["at", "actor", "action", "object", "detail", "previous_sha256", "sha256"])
def test_editing_any_column_breaks_the_chain(database: Database, column: str) -> None:
    with database.write() as connection:
        connection.execute(update(AUDIT_LOG).where(AUDIT_LOG.c.seq == 4).values({column: "x"}))
    assert 4 in audit.broken_rows(database)


def test_an_edit_with_a_fitting_hash_breaks_the_next_row(database: Database) -> None:
    with database.write() as connection:
        row = dict(connection.execute(AUDIT_LOG.select().where(AUDIT_LOG.c.seq == 4)).mappings().one())
        row["actor"] = "nobody"
        row["sha256"] = audit.seal(row)
        connection.execute(update(AUDIT_LOG).where(AUDIT_LOG.c.seq == 4).values(row))
    assert audit.broken_rows(database) == [5]


@pytest.mark.parametrize("seq", [1, 4])
def test_a_missing_row_is_noticed(database: Database, seq: int) -> None:
    with database.write() as connection:
        connection.execute(delete(AUDIT_LOG).where(AUDIT_LOG.c.seq == seq))
    assert audit.broken_rows(database) != []


def test_concurrent_writers_make_one_chain(database: Database) -> None:
    def work(name: str) -> None:
        for i in range(10):
            audit.append(database, at=NOW, actor=name, action="denied", object=str(i))

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.head(database)[0] == 48
    assert audit.broken_rows(database) == []
