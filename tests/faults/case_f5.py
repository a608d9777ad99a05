"""F5: damaged model artifacts, at promotion, at boot, and under the eyes of a running server."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from data.errors import BundleError
from models import manifest
from models.ledger import Champion, Version
from models.registry import Registry
from tests.faults.damages import Damage, damages, identity_of, write_sound
from tests.faults.harness import Outcome, judged
from tests.faults.target import served_product
from tests.functional.serving.conftest import CONFIG, Served
from tests.unit.serving.world import Shop, good_row

TITLE = "Damaged models are refused before they are loaded; the old one serves on, in the same processes"
QUICK, FULL = 24, 233
FIRST = 10  # version of the first damaged model; version 1 is sound
AT = datetime(2026, 11, 20)
FAST = CONFIG.replace("refresh_seconds: 0.3", "refresh_seconds: 0.1")
Promote = Callable[[Shop, int], None]


@dataclass(frozen=True)
class Damaged:
    """A damaged model on record as a version."""

    version: int
    damage: Damage


def run(size: int) -> Outcome:
    """Promotion and boot of every damage; in full also a server that is told to serve each."""
    faults: list[str] = []
    found: list[Damaged] = []

    def before_start(root: Path) -> None:
        shop = Shop(root)
        found.extend(registered(shop, size))
        faults.extend(_at_promotion(shop, found, _promote))
        faults.extend(_at_boot(shop, found))
        _force(shop, found[0].version)

    told = f"{size} damaged models refused at promotion and boot"
    if size < FULL:
        with tempfile.TemporaryDirectory() as folder:
            shop = Shop(Path(folder))
            shop.register(1, seed=1)
            shop.promote(1, expected=None)
            before_start(Path(folder))
        return judged(size, faults, told)
    with served_product(config=FAST, prepare=before_start) as served:
        faults.extend(_while_serving(served, found))
    return judged(size, faults, f"{told}, and by a running server, whose processes stayed the same")


def planted() -> Outcome:
    """The same with a registry that takes an artifact as it lies there."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.register(1, seed=1)
        shop.promote(1, expected=None)
        found = registered(shop, 12)
        return judged(len(found), list(_at_promotion(shop, found, careless)), "")


def registered(shop: Shop, size: int) -> list[Damaged]:
    """Damaged models spread evenly over all kinds.

    One whose manifest does not fit was sound when it was registered: its identity is on record.
    """
    sound = write_sound(shop.root / "made" / "sound")
    other = write_sound(shop.root / "made" / "other", seed=2)
    every = damages(sound, other)
    assert len(every) == FULL, len(every)
    found = []
    for number, damage in enumerate(every[i * FULL // size] for i in range(size)):
        version, source = FIRST + number, f"mlflow/artifacts/{FIRST + number}"
        damage.make(shop.root / source)
        identity = manifest.verify(shop.root / source)[0] if damage.resealed else identity_of(sound)
        shop.ledger.add(Version("churn", version, identity, "run", source, {}))
        found.append(Damaged(version, damage))
    return found


def _at_promotion(shop: Shop, found: Sequence[Damaged], promote: Promote) -> Iterator[str]:
    for one in found:
        try:
            promote(shop, one.version)
        except BundleError:
            continue
        yield f"{one.damage.name} was promoted"
        _force(shop, 1)


def _promote(shop: Shop, version: int) -> None:
    shop.registry.promote("churn", version, expected=1, by="Kim", reason="", at=AT, mirror=False)


class Careless(Registry):
    """Copies and promotes what it finds."""

    def fetch(self, model: str, version: int) -> Path:
        target = self.settings.root / "bundles" / model / str(version)
        shutil.copytree(self.settings.root / self._ledger.version(model, version).source, target)
        return target

    def promote(self, model: str, version: int, **given: object) -> Champion:
        self.fetch(model, version)
        _force(Shop(self.settings.root), version)
        champion = self.champion(model)
        assert champion
        return champion


def careless(shop: Shop, version: int) -> None:
    try:
        Careless(shop.registry.settings).promote("churn", version)
    except OSError as error:
        raise BundleError(str(error)) from error


def _force(shop: Shop, version: int) -> None:
    """Make a version champion past all checks, as by hand in the database."""
    now = shop.ledger.champion("churn")
    known = shop.ledger.version("churn", version)
    champion = Champion("churn", version, known.source, known.manifest_sha256, AT, "nobody", "")
    shop.ledger.promote(champion, expected=now.version if now else None)


def _at_boot(shop: Shop, found: Sequence[Damaged]) -> Iterator[str]:
    """A worker that starts while a damaged model is champion serves the last one known, and says so."""
    served, faults = shop.champions().latest({})
    if faults or served["churn"].version != "1":
        yield f"the sound model does not serve: {faults}"
    for one in found:
        _force(shop, one.version)
        served, faults = shop.champions().latest({})
        serving = served["churn"].version if "churn" in served else "none"
        if serving != "1" or f"version {one.version} was refused" not in faults.get("model churn", ""):
            yield f"{one.damage.name} at boot: version {serving} serves; {faults}"
        _force(shop, 1)


def _while_serving(served: Served, found: Sequence[Damaged]) -> Iterator[str]:
    family = _processes(served)
    for one in found:
        _force(served.shop, one.version)
        model = _told_to_serve(served, one.version)
        answer = served.call("POST", "/v1/churn/score", json={"rows": [good_row()], "horizons_days": [90]})
        if model["version"] != "1" or not model["faults"] or answer.status_code != 200:
            yield f"{one.damage.name} while serving: version {model['version']}, {answer.status_code}"
        elif answer.json()["results"][0]["churn_probability"]["90"]["model_version"] != "1":
            yield f"{one.damage.name} answered a score"
    if _processes(served) != family:
        yield f"processes were replaced: {family} became {_processes(served)}"


def _told_to_serve(served: Served, version: int) -> dict[str, Any]:
    """What the server says of the model once it has looked at a version."""
    deadline = time.monotonic() + 60
    while True:
        model: dict[str, Any] = served.call("GET", "/v1/models/churn").json()
        refused = any(f"version {version} was refused" in fault for fault in model["faults"])
        if refused or model["version"] != "1" or time.monotonic() > deadline:
            return model
        time.sleep(0.05)


def _processes(served: Served) -> set[int]:
    """Server and workers, without the children that try artifacts."""
    parent = psutil.Process(served.process.pid)
    every = [parent, *parent.children(recursive=True)]
    return {p.pid for p in every if not any("sandbox" in part for part in p.cmdline())}
