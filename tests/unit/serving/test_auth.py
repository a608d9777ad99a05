from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from data.errors import InputError, NotFoundError
from serving import audit
from serving.auth import Keyring, create_key, list_keys, revoke_key
from serving.state import Database
from tests.unit.serving.world import NOW, Clock


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()
    yield database
    database.close()


def ring(database: Database, clock: Clock) -> Keyring:
    return Keyring(database, clock=lambda: clock.at, ticks=lambda: clock.ticks)


def test_a_key_stands_for_its_owner_and_role(database: Database) -> None:
    key = create_key(
        database, owner="Kim", role="channel_manager", manager_id="M1", now=NOW, random=os.urandom
    )
    identity = ring(database, Clock()).verify(f"Bearer {key}")
    assert identity is not None
    assert (identity.owner, identity.role, identity.manager_id) == ("Kim", "channel_manager", "M1")


def test_the_secret_is_nowhere_in_the_database(database: Database, tmp_path: Path) -> None:
    key = create_key(database, owner="Kim", role="admin", now=NOW, random=os.urandom)
    secret = key.split("_")[2].encode()
    assert all(secret not in p.read_bytes() for p in tmp_path.iterdir())
    assert secret.decode() not in repr(list_keys(database))


def bad_headers(key: str) -> list[str | None]:
    prefix, key_id, secret = key.split("_")
    flipped = ("0" if secret[0] != "0" else "1") + secret[1:]
    return [
        None, "", "Bearer", "Bearer ", key, f"Basic {key}", f"Bearer {prefix}_{key_id}", f"Bearer {key}0",
        f"Bearer {prefix}_{key_id}_{flipped}", f"Bearer {prefix}_{'0' * 12}_{secret}",
        f"Bearer {key.upper()}",
        f"Bearer {key_id}", "Bearer ' OR 1=1 --", f"Bearer {key} {key}",
        "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.",
    ]  # fmt: skip


@pytest.mark.parametrize("which", range(15))
def test_nothing_but_the_key_itself_stands_for_anyone(database: Database, which: int) -> None:
    key = create_key(database, owner="Kim", role="admin", now=NOW, random=os.urandom)
    assert ring(database, Clock()).verify(bad_headers(key)[which]) is None


def test_a_key_expires_to_the_second(database: Database) -> None:
    clock = Clock()
    key = create_key(
        database, owner="Kim", role="prm", now=NOW, expires_at=NOW + timedelta(hours=1), random=os.urandom
    )
    keys = ring(database, clock)
    clock.advance(3599)
    assert keys.verify(f"Bearer {key}") is not None
    clock.advance(1)
    assert keys.verify(f"Bearer {key}") is None


def test_revocation_is_seen_within_five_seconds_by_a_ring_that_knew_the_key(database: Database) -> None:
    clock = Clock()
    key = create_key(database, owner="Kim", role="prm", now=NOW, random=os.urandom)
    keys = ring(database, clock)
    assert keys.verify(f"Bearer {key}") is not None
    revoke_key(database, key.split("_")[1], now=NOW)
    clock.advance(5)
    assert keys.verify(f"Bearer {key}") is None


def test_a_known_or_unknown_key_is_looked_up_once(database: Database) -> None:
    key = create_key(database, owner="Kim", role="prm", now=NOW, random=os.urandom)
    keys = ring(database, Clock())
    for header in (f"Bearer {key}", f"Bearer pik_{'0' * 12}_{'0' * 64}"):
        assert keys.blocks(header)
        keys.verify(header)
        assert not keys.blocks(header)
    assert not keys.blocks(None)


@pytest.mark.parametrize(
    ("owner", "role", "manager_id"),
    [("Kim", "boss", None), ("", "admin", None), ("Kim", "channel_manager", None), ("Kim", "prm", "M1")],
)
def test_a_key_without_sense_is_not_made(
    database: Database, owner: str, role: str, manager_id: str | None
) -> None:
    with pytest.raises(InputError, match=r"Allowed|needs"):
        create_key(database, owner=owner, role=role, manager_id=manager_id, now=NOW, random=os.urandom)
    assert list_keys(database) == []


def test_revoking_what_is_not_there_says_so_and_revoking_twice_changes_nothing(database: Database) -> None:
    with pytest.raises(NotFoundError):
        revoke_key(database, "nope", now=NOW)
    key_id = create_key(database, owner="Kim", role="prm", now=NOW, random=os.urandom).split("_")[1]
    revoke_key(database, key_id, now=NOW)
    revoke_key(database, key_id, now=NOW + timedelta(days=1))
    assert list_keys(database)[0].revoked_at == "2026-11-20T09:30:00.000000Z"
    assert audit.head(database)[0] == 2
