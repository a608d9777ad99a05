"""The servers tests stand on are real, empty, and gone afterwards."""

from __future__ import annotations

import pytest

from tests import servers


@pytest.mark.redis
def test_redis_starts_empty_and_stops() -> None:
    import redis

    servers.skip_without_redis()
    with servers.redis_server() as running:
        client = redis.Redis(host=running.host, port=running.port)
        assert client.dbsize() == 0
        client.close()
    assert running.process.poll() is not None


@pytest.mark.postgres
def test_postgres_answers_and_stops() -> None:
    import sqlalchemy

    servers.skip_without_postgres()
    with servers.postgres_server() as running:
        engine = sqlalchemy.create_engine(running.url)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 40 + 2")).scalar() == 42
        engine.dispose()
    with pytest.raises(sqlalchemy.exc.OperationalError):
        sqlalchemy.create_engine(running.url).connect()
