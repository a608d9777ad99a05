"""A worker follows its server into the end."""

from __future__ import annotations

from threading import Event

from serving.following import follow


def test_a_worker_ends_when_its_server_is_gone() -> None:
    parents, ended = iter([7, 7, 1]), Event()
    follow(7, stop=Event(), parent=lambda: next(parents), end=ended.set, every_seconds=0.001).join(timeout=10)
    assert ended.is_set()


def test_a_worker_lives_while_its_server_does() -> None:
    stop, ended, looks = Event(), Event(), []

    def parent() -> int:
        looks.append(1)
        if len(looks) == 50:
            stop.set()
        return 7

    follow(7, stop=stop, parent=parent, end=ended.set, every_seconds=0.001).join(timeout=10)
    assert len(looks) == 50
    assert not ended.is_set()
