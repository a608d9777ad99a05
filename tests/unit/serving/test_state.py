from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

import serving.runtime  # noqa: F401 — registers the tables of every capability
from data.errors import ConfigError
from serving.state import Database
from serving.tables import METADATA


def test_revisions_make_the_tables_the_code_uses(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.migrate()
    database.close()


def test_acknowledged_writes_survive_a_power_cut_by_configuration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()
    with database.read() as connection:
        pragmas = {
            p: connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}
    database.close()


def test_several_workers_may_boot_at_once(tmp_path: Path) -> None:
    code = f"from serving.state import Database; Database('sqlite:///{tmp_path}/state.db').migrate()"
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [w.wait(timeout=120) for w in workers] == [0, 0, 0]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()

    def fail_halfway() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO feature_layouts VALUES ('a', 'b')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM feature_layouts")).scalar() == 0
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "oracle+none://x/y"])
def test_an_unusable_url_is_a_settings_error_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(url)
    assert url not in str(caught.value)
    assert caught.value.pointer == "serving.database_url"
