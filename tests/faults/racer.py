"""The racers of case F8: they promote versions at given moments, each in a process of its own."""

from __future__ import annotations

import time
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import insert, update

from data.errors import PromotionConflictError
from models.bundle import load_bundle
from models.ledger import CHAMPIONS, PROMOTIONS, Champion, Ledger, _text
from models.registry import Registry, RegistrySettings


class LookThenWrite(Ledger):
    """Compares and swaps in two steps."""

    def promote(self, champion: Champion, *, expected: int | None) -> None:
        now = self.champion(champion.model)
        if (now.version if now else None) != expected:
            raise PromotionConflictError("too late")
        time.sleep(0.02)
        values = {**vars(champion), "promoted_at": _text(champion.promoted_at)}
        history = {k: values[k] for k in ("model", "version", "promoted_at", "promoted_by", "reason")}
        with self._writing() as connection:
            changed = connection.execute(
                update(CHAMPIONS).where(CHAMPIONS.c.model == champion.model).values(values)
            )
            if not changed.rowcount:
                connection.execute(insert(CHAMPIONS), values)
            connection.execute(insert(PROMOTIONS), {**history, "replaced": expected})


def promoted(registry: Registry, version: int, expected: int | None, start: float) -> str:
    """Wait for the moment, promote, and say how it went."""
    while time.monotonic() < start:
        pass
    at = datetime(2026, 11, 20)
    try:
        registry.promote("churn", version, expected=expected, by="racer", reason="", at=at, mirror=False)
    except PromotionConflictError:
        return "lost"
    return "won"


def be_racer(ear: Connection, root: Path, look_then_write: bool) -> None:
    """Prepare and promote as told, until told nothing more."""
    registry = Registry(RegistrySettings(root=root))
    if look_then_write:
        registry._ledger = LookThenWrite(registry._ledger.path)
    while (said := ear.recv()) is not None:
        what, version, *more = said
        if what == "prepare":
            # Copied and verified before the race, so that the race is about the champion.
            load_bundle(registry.fetch("churn", version))
            ear.send("ready")
        else:
            ear.send(promoted(registry, version, *more))
