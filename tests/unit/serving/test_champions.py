from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import BundleError
from models.bundle import save_bundle
from serving.champions import Champions
from serving.live import LiveRegistry
from serving.view import Served
from tests.unit.serving.world import Shop, small_bundle, write_seed


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.register(1, seed=1)
    shop.promote(1, expected=None)
    return shop


def test_the_champion_of_the_registry_serves_and_is_kept_while_it_stays(shop: Shop) -> None:
    champions = shop.champions()
    first, faults = champions.latest({})
    assert (first["churn"].version, first["churn"].source, dict(faults)) == ("1", "registry", {})
    assert first["churn"].promoted_at == "2026-11-01T00:00:00Z"
    again, _ = champions.latest(first)
    assert again["churn"] is first["churn"]


def test_a_promotion_is_followed(shop: Shop) -> None:
    champions = shop.champions()
    first, _ = champions.latest({})
    shop.register(2, seed=2)
    shop.promote(2, expected=1)
    second, _ = champions.latest(first)
    assert second["churn"].version == "2"
    assert second["churn"].bundle.manifest_sha256 != first["churn"].bundle.manifest_sha256


def damage(folder: Path) -> None:
    model = folder / "model.txt"
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])


def test_a_damaged_champion_is_refused_in_words_and_the_old_one_goes_on_serving(shop: Shop) -> None:
    champions = shop.champions()
    first, _ = champions.latest({})
    shop.register(2, seed=2)
    shop.promote(2, expected=1)
    damage(shop.root / "bundles" / "churn" / "2")
    damage(shop.root / "mlflow" / "artifacts" / "2")
    second, faults = champions.latest(first)
    assert second["churn"] is first["churn"]
    assert "version 2 was refused" in faults["model churn"]


def test_a_refused_champion_is_tried_again_after_a_minute(shop: Shop) -> None:
    champions = shop.champions()
    first, _ = champions.latest({})
    shop.register(2, seed=2)
    shop.promote(2, expected=1)
    for folder in (shop.root / "bundles" / "churn" / "2", shop.root / "mlflow" / "artifacts" / "2"):
        damage(folder)
    champions.latest(first)
    save_bundle(small_bundle(2), shop.root / "mlflow" / "artifacts" / "2")
    assert champions.latest(first)[0]["churn"].version == "1"
    shop.clock.advance(61)
    assert champions.latest(first)[0]["churn"].version == "2"


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_without_a_registry_the_last_known_copy_serves_and_says_so(shop: Shop, how: str) -> None:
    shop.champions().latest({})
    for file in shop.root.glob("registry.db*"):
        file.unlink() if how == "missing" else file.write_bytes(b"not a database" * 500)
    found, faults = shop.champions().latest({})
    assert (found["churn"].version, found["churn"].source) == ("1", "local")
    assert "registry" in " ".join(faults.values())


def test_booting_with_a_damaged_champion_falls_back_to_the_last_good_one(shop: Shop) -> None:
    shop.champions().latest({})
    shop.register(2, seed=2)
    shop.promote(2, expected=1)
    for folder in (shop.root / "bundles" / "churn" / "2", shop.root / "mlflow" / "artifacts" / "2"):
        damage(folder)
    found, faults = shop.champions().latest({})
    assert found["churn"].version == "1"
    assert "version 2 was refused" in faults["model churn"]


def test_the_seed_serves_where_no_registry_is_configured_and_yields_to_one(
    shop: Shop, tmp_path: Path
) -> None:
    seed = tmp_path / "seed"
    write_seed(seed, version="99", bundle=small_bundle(2))
    empty = Champions(
        LiveRegistry(tmp_path / "empty"),
        home=tmp_path / "empty" / "serving",
        workspace=tmp_path / "empty",
        seed=seed,
        ticks=lambda: 0.0,
    )
    carried, faults = empty.latest({})
    assert (carried["churn"].version, carried["churn"].source, dict(faults)) == ("99", "seed", {})
    assert not (tmp_path / "empty" / "registry.db").exists()
    assert shop.champions(seed=seed).latest({})[0]["churn"].version == "1"


def test_a_damaged_seed_serves_nothing(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    write_seed(seed)
    damage(seed / "bundles" / "churn" / "7")
    shop = Shop(tmp_path / "w")
    found, faults = shop.champions(seed=seed).latest({})
    assert dict(found) == {}
    assert "refused" in faults["model churn"]


def test_a_version_of_old_is_found_again_by_its_identity(shop: Shop) -> None:
    identity = shop.register(2, seed=2)
    champions = shop.champions()
    assert champions.version("churn", "2", identity).bundle.manifest_sha256 == identity
    with pytest.raises(BundleError, match="cannot be found"):
        champions.version("churn", "2", "0" * 64)
    with pytest.raises(BundleError):
        champions.version("churn", "../../etc", identity)


def test_a_served_model_stays_when_the_registry_forgets_it(shop: Shop) -> None:
    champions = shop.champions()
    first, _ = champions.latest({})
    for file in shop.root.glob("registry.db*"):
        file.unlink()
    second, faults = champions.latest(first)
    assert isinstance(second["churn"], Served)
    assert second["churn"].bundle is first["churn"].bundle
    assert faults
