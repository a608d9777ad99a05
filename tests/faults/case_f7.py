"""F7: the registry, its champion or its artifacts go missing, before a server starts and while it runs."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.champions import Champions
from serving.server import stop
from tests.faults.harness import Outcome, judged
from tests.functional.serving.conftest import CONFIG, Served, make_workspace, start
from tests.unit.serving.world import Shop, good_row

TITLE = "Without registry, champion or artifacts the last verified model serves on, and /readyz says so"
QUICK, FULL = 8, 48  # boots and losses while running, every loss in turn
SECONDS = 20.0


@dataclass(frozen=True)
class Loss:
    """Something that goes missing.

    Attributes:
        name: What.
        strike: Makes it so in a workspace.
        told: Whether /readyz must name it: a model that is here in full needs no registry's artifact.
    """

    name: str
    strike: Callable[[Path], None]
    told: bool = True


def run(size: int) -> Outcome:
    """In full also against a running product."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="f7-") as folder:
        home = Path(folder)
        kept = kept_workspace(home / "kept")
        chosen = [LOSSES[k % len(LOSSES)] for k in range(size)]
        for number, loss in enumerate(chosen):
            faults.extend(_at_boot(kept, home / f"boot-{number}", loss))
        if size >= FULL:
            faults.extend(_while_running(home / "running"))
            faults.extend(_started_with_nothing(home / "nothing"))
    also = f", {len(LOSSES)} under a running server, 1 start with nothing" if size >= FULL else ""
    return judged(size, faults, f"{size} boots from the local copy{also}; every answer from version 1")


def planted() -> Outcome:
    """The same with a worker that forgot to note what it served."""
    with tempfile.TemporaryDirectory(prefix="f7-") as folder:
        kept = kept_workspace(Path(folder) / "kept")
        shutil.rmtree(kept / "serving")
        return judged(1, list(_at_boot(kept, Path(folder) / "boot", LOSSES[0])), "")


def kept_workspace(root: Path) -> Path:
    """A workspace in which version 1 has served, so that a verified copy is on this machine."""
    shop = Shop(root)
    shop.register(1, seed=1)
    shop.promote(1, expected=None)
    served, faults = shop.champions().latest({})
    assert served["churn"].version == "1", faults
    return root


def _at_boot(kept: Path, root: Path, loss: Loss) -> Iterator[str]:
    """A worker that starts after the loss, and goes on when all is back."""
    shutil.copytree(kept, root)
    loss.strike(root)
    champions = _champions(root)
    served, faults = champions.latest({})
    if "churn" not in served or served["churn"].version != "1":
        yield f"{loss.name} at boot: nothing serves; {faults}"
        return
    if loss.told and not faults:
        yield f"{loss.name} at boot: not told"
    restore(kept, root)
    served, faults = champions.latest(served)
    if served["churn"].version != "1" or faults:
        yield f"{loss.name} at boot: not well again when all is back: {faults}"
    shutil.rmtree(root)


def _champions(root: Path) -> Champions:
    """What a worker reads, without making a registry where there is none."""
    from serving.live import LiveRegistry

    clock = iter(range(0, 10_000_000, 10_000))
    return Champions(
        LiveRegistry(root), home=root / "serving", workspace=root, seed=None, ticks=lambda: float(next(clock))
    )


def restore(kept: Path, root: Path) -> None:
    """Everything of the registry as it was; what serving noted itself is left alone."""
    for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
        with suppress(FileNotFoundError):
            path = root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if (kept / name).is_file():
            shutil.copy2(kept / name, root / name)
    shutil.copytree(kept / "mlflow", root / "mlflow", dirs_exist_ok=True)


def _while_running(root: Path) -> Iterator[str]:
    """Every loss under the same server; it never stops answering and says what it lacks."""
    with _server(root) as served:
        kept = root.parent / "kept-running"
        shutil.copytree(root, kept)
        for loss in LOSSES:
            loss.strike(root)
            told = _until(served, lambda d: d["status"] == "degraded", wait=loss.told)
            answer = served.call(
                "POST", "/v1/churn/score", json={"rows": [good_row()], "horizons_days": [90]}
            )
            version = _version(answer)
            if version != "1":
                yield f"{loss.name} while running: answered {answer.status_code} by version {version}"
            if loss.told and told["status"] != "degraded":
                yield f"{loss.name} while running: /readyz says {told}"
            restore(kept, root)
            if _until(served, lambda d: d["status"] == "ok")["status"] != "ok":
                yield f"{loss.name} while running: not well again when all is back"
    shutil.rmtree(kept)


def _started_with_nothing(root: Path) -> Iterator[str]:
    """Neither registry nor copy: not ready, in words, until the registry is back; no restart."""
    kept = root.parent / "kept-nothing"

    def lose(workspace: Path) -> None:
        shutil.copytree(workspace, kept)
        for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
            (workspace / name).unlink(missing_ok=True)
        for name in ("mlflow", "bundles", "serving"):
            shutil.rmtree(workspace / name, ignore_errors=True)

    with _server(root, prepare=lose, ready=False) as served:
        told = _until(served, lambda d: d["status"] == 503)
        if told["status"] != 503 or "No model is in service" not in told["detail"]:
            yield f"started with nothing: /readyz says {told}"
        answer = served.call("POST", "/v1/churn/score", json={"rows": [good_row()]})
        if answer.status_code not in (404, 503):
            yield f"started with nothing: a score was answered {answer.status_code}"
        restore(kept, root)
        if _until(served, lambda d: d["status"] == "ok")["status"] != "ok":
            yield "started with nothing: not ready when the registry is back"


class _server:
    """A running product over a workspace; ended and closed at the end."""

    def __init__(
        self, root: Path, *, prepare: Callable[[Path], None] = lambda _: None, ready: bool = True
    ) -> None:
        made = make_workspace(root, config=CONFIG)
        prepare(root)
        self.root, self.ready = root, ready
        self.served = start(root, made)

    def __enter__(self) -> Served:
        self.served.wait_for("/readyz" if self.ready else "/livez")
        return self.served

    def __exit__(self, *_: object) -> None:
        stop(self.served.process, self.root, drain_seconds=0)
        self.served.close()


def _until(served: Served, wanted: Callable[[dict[str, Any]], bool], *, wait: bool = True) -> dict[str, Any]:
    """/readyz, once it says what is wanted or time is up."""
    deadline = time.monotonic() + (SECONDS if wait else 2.0)
    while True:
        found: dict[str, Any] = served.call("GET", "/readyz", role=None).json()
        if wanted(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _version(answer: Any) -> str:
    if answer.status_code != 200:
        return "none"
    return str(answer.json()["results"][0]["churn_probability"]["90"]["model_version"])


def _gone(root: Path) -> None:
    for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
        (root / name).unlink(missing_ok=True)


def _garbage(root: Path) -> None:
    _gone(root)
    (root / "registry.db").write_bytes(b"not a database" * 500)


def _empty(root: Path) -> None:
    _gone(root)
    (root / "registry.db").touch()


def _a_folder(root: Path) -> None:
    _gone(root)
    (root / "registry.db").mkdir()


def _sql(*statements: str) -> Callable[[Path], None]:
    def strike(root: Path) -> None:
        with closing(sqlite3.connect(root / "registry.db")) as database, database:
            for statement in statements:
                database.execute(statement)

    return strike


def _artifacts_gone(root: Path) -> None:
    shutil.rmtree(root / "mlflow", ignore_errors=True)


LOSSES: Sequence[Loss] = (
    Loss("the registry is gone", _gone),
    Loss("the registry is no database", _garbage),
    Loss("the registry is empty", _empty),
    Loss("the registry is a folder", _a_folder),
    Loss("the champion is not named", _sql("DELETE FROM champions")),
    Loss("the champions have no table", _sql("DROP TABLE champions")),
    Loss("the artifacts are gone", _artifacts_gone, told=False),
    Loss(
        "champion and artifacts are gone",
        lambda root: (_sql("DELETE FROM champions")(root), _artifacts_gone(root))[0],
    ),
)
