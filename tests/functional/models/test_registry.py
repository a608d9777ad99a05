"""The registry: versions, races, copies, and what works without MLflow."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pandas as pd
import pytest

from data.errors import BundleError, NotFoundError, PromotionConflictError
from models.assembly import unlabelled_bundle
from models.bundle import load_bundle, save_bundle
from models.ledger import Champion, Ledger, Version
from models.registry import Registry, RegistrySettings
from models.scorecard import Criterion, Scorecard
from models.spec import Feature, ModelSpec

AT = datetime(2026, 11, 20, 12)
SPEC = ModelSpec("churn", "Churn", ("partner_id",), (Feature("logins"),), "probability", (90,), adverse=True)
CARD = Scorecard(criteria=(Criterion(feature="logins", weight=100, low=0, high=10),))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with three registered versions, made once: MLflow's migrations cost seconds."""
    root = tmp_path_factory.mktemp("template")
    registry = Registry(RegistrySettings(root=root))
    for version in (1, 2, 3):
        frame = pd.DataFrame({"logins": [float(v) for v in range(version, version + 20)]})
        bundle = unlabelled_bundle(SPEC, frame, scorecard=CARD, trained={"n": 20, "positives": 0})
        save_bundle(bundle, root / "made" / str(version))
        assert registry.register("churn", root / "made" / str(version), tags={"n": "20"}) == version
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A workspace of one's own, elsewhere than where it was made."""
    shutil.copytree(template, tmp_path / "workspace")
    return tmp_path / "workspace"


@pytest.fixture
def registry(root: Path) -> Registry:
    return Registry(RegistrySettings(root=root))


def promote(registry: Registry, version: int, *, expected: int | None) -> Champion:
    return registry.promote(
        "churn", version, expected=expected, by="ann", reason="better", at=AT, mirror=False
    )


def test_versions_are_numbered_and_the_newest_is_the_candidate(registry: Registry) -> None:
    assert [v.version for v in registry.versions("churn")] == [1, 2, 3]
    assert registry.candidate("churn") == 3
    assert registry.models() == ["churn"]
    assert registry.versions("churn")[0].tags == {"n": "20"}


def test_promotion_names_who_when_and_why(registry: Registry) -> None:
    assert registry.champion("churn") is None
    done = promote(registry, 2, expected=None)
    assert registry.champion("churn") == done
    assert (done.version, done.promoted_at, done.promoted_by, done.reason) == (2, AT, "ann", "better")
    promote(registry, 3, expected=2)
    assert [(p["version"], p["replaced"]) for p in registry.promotions("churn")] == [(2, None), (3, 2)]


@pytest.mark.parametrize("expected", [None, 1, 3])
def test_promotion_over_another_champion_than_expected_is_refused(
    registry: Registry, expected: int | None
) -> None:
    promote(registry, 2, expected=None)
    with pytest.raises(PromotionConflictError, match="is version 2"):
        promote(registry, 3, expected=expected)
    champion = registry.champion("churn")
    assert champion is not None
    assert champion.version == 2
    assert len(registry.promotions("churn")) == 1


def test_unknown_version_is_named_with_those_there_are(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match=r"no version 9 of model churn\. Allowed: 1, 2, 3"):
        promote(registry, 9, expected=None)
    with pytest.raises(NotFoundError):
        registry.fetch("fit", 1)


def test_fetched_copy_is_the_registered_bundle(registry: Registry, root: Path) -> None:
    folder = registry.fetch("churn", 2)
    assert folder == root / "bundles" / "churn" / "2"
    assert load_bundle(folder, expected=registry.versions("churn")[1].manifest_sha256).model == "churn"
    assert registry.fetch("churn", 2) == folder


def test_damaged_local_copy_is_replaced_by_the_stored_one(registry: Registry) -> None:
    folder = registry.fetch("churn", 1)
    (folder / "bundle.json").write_bytes(b"{}")
    assert registry.fetch("churn", 1) == folder
    load_bundle(folder)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["1"]


def _stored(root: Path) -> Path:
    return root / Registry(RegistrySettings(root=root)).versions("churn")[0].source


DAMAGE: dict[str, Callable[[Path], object]] = {
    "changed": lambda folder: (folder / "bundle.json").write_bytes(b"{}"),
    "gone": shutil.rmtree,
}


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_damaged_stored_artifact_is_refused_and_nothing_is_left_behind(
    registry: Registry, root: Path, how: str
) -> None:
    DAMAGE[how](_stored(root))
    with pytest.raises(BundleError):
        registry.fetch("churn", 1)
    with pytest.raises(BundleError):
        promote(registry, 1, expected=None)
    assert registry.champion("churn") is None
    assert list((root / "bundles" / "churn").iterdir()) == []


def test_another_versions_artifact_in_its_place_is_refused(registry: Registry, root: Path) -> None:
    shutil.rmtree(_stored(root))
    shutil.copytree(root / "made" / "2", _stored(root))
    with pytest.raises(BundleError, match="on record"):
        registry.fetch("churn", 1)


def test_local_copy_serves_when_the_artifact_store_is_gone(registry: Registry, root: Path) -> None:
    folder = registry.fetch("churn", 1)
    shutil.rmtree(root / "mlflow")
    assert registry.fetch("churn", 1) == folder


def test_reading_makes_no_database(tmp_path: Path) -> None:
    empty = Registry(RegistrySettings(root=tmp_path))
    assert empty.champion("churn") is None
    assert empty.versions("churn") == []
    assert empty.models() == []
    assert list(tmp_path.iterdir()) == []


def test_champion_and_fetch_never_import_mlflow(registry: Registry, root: Path) -> None:
    promote(registry, 2, expected=None)
    shutil.rmtree(root / "bundles")
    code = f"""
        import sys
        from pathlib import Path
        from models.registry import Registry, RegistrySettings
        registry = Registry(RegistrySettings(root=Path({str(root)!r})))
        champion = registry.champion("churn")
        registry.fetch("churn", champion.version)
        assert champion.version == 2
        heavy = {{"mlflow", "lightgbm", "shap", "sklearn", "matplotlib"}} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_two_promotions_race_fifty_times_with_one_winner_each(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "registry.db")
    for version in range(1, 103):
        ledger.add(Version("churn", version, "0" * 64, "run", "here", {}))
    winners: list[int] = []
    expected: int | None = None
    with ThreadPoolExecutor(2) as pool:
        for k in range(50):
            start = Barrier(2)

            def attempt(version: int, start: Barrier = start, expected: int | None = expected) -> int | None:
                mine = Ledger(tmp_path / "registry.db")
                start.wait()
                try:
                    mine.promote(Champion("churn", version, "here", "0" * 64, AT, "x", ""), expected=expected)
                except PromotionConflictError:
                    return None
                return version

            won = [v for v in pool.map(attempt, (2 * k + 1, 2 * k + 2)) if v is not None]
            assert len(won) == 1
            champion = ledger.champion("churn")
            assert champion is not None
            assert champion.version == won[0]
            expected = won[0]
            winners += won
    assert len(winners) == 50
    assert [p["version"] for p in ledger.promotions("churn")] == winners


def test_two_processes_race_and_one_wins(root: Path, registry: Registry) -> None:
    for version in (1, 2, 3):
        registry.fetch("churn", version)
    promote(registry, 1, expected=None)
    code = f"""
        import sys
        from datetime import datetime
        from pathlib import Path
        from data.errors import PromotionConflictError
        from models.registry import Registry, RegistrySettings
        registry = Registry(RegistrySettings(root=Path({str(root)!r})))
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            registry.promote("churn", int(sys.argv[1]), expected=1, by="p", reason="",
                             at=datetime(2026, 1, 1), mirror=False)
        except PromotionConflictError:
            sys.exit(8)
    """
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), version],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for version in ("2", "3")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.communicate("go\n", timeout=60)
    assert sorted(racer.returncode for racer in racers) == [0, 8]


def test_mlflows_aliases_mirror_candidate_and_champion(registry: Registry) -> None:
    from mlflow.tracking import MlflowClient

    promote(registry, 2, expected=None)
    registry.mirror("churn")
    uri = registry.settings.tracking_uri
    known = MlflowClient(tracking_uri=uri, registry_uri=uri).get_registered_model("churn").aliases
    assert {name: int(v) for name, v in known.items()} == {"candidate": 3, "champion": 2}


def test_promotion_stands_when_mlflow_cannot_follow(
    registry: Registry, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.fetch("churn", 2)
    (root / "mlflow" / "mlflow.db").write_bytes(b"not a database")
    registry.promote("churn", 2, expected=None, by="ann", reason="", at=AT)
    champion = registry.champion("churn")
    assert champion is not None
    assert champion.version == 2
    assert "the champion stands" in caplog.text
