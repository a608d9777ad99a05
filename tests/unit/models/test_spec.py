"""Definitions of models: restricting, ready-made columns, finding them by folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import models
from data.errors import ConfigError
from models.catalog import specs
from models.churn import SPEC
from models.spec import Feature, ModelSpec, base_column

COUNTS = ("login_count_7d", "won_count_90d", "certified_users_count", "active_users_30d")


def test_churn_is_found_and_answers_three_horizons() -> None:
    assert specs()["churn"] is SPEC
    assert SPEC.horizons_days == (30, 90, 180)
    assert set(SPEC.groups) == {
        "engagement", "pipeline", "enablement", "revenue", "satisfaction", "context"
    }  # fmt: skip


def test_more_activity_lowers_risk_and_longer_silence_raises_it() -> None:
    sign = {f.name: f.monotone for f in SPEC.features}
    assert {sign[n] for n in COUNTS} == {-1}
    assert {sign[n] for n in ("days_since_last_login", "days_since_last_won", "won_overdue_ratio")} == {1}
    assert {f.monotone for f in SPEC.features if f.group == "context"} == {0}


@pytest.mark.parametrize("feature", SPEC.features, ids=lambda f: f.name)
def test_every_churn_feature_has_its_sentences_factor_and_view(feature: Feature) -> None:
    told = feature.sentence.format(value="V", peer="P")
    assert "V" in told
    assert "P" in told
    assert feature.missing.format(peer="P")
    assert feature.factor
    assert feature.label
    assert feature.view in {"engagement", "deals", "enablement", "satisfaction", "firmographics"}


def test_restricting_keeps_order_and_leaves_out_what_the_data_lacks() -> None:
    kept = SPEC.restricted_to(["won_count_30d", "login_count_30d", "unknown"])
    assert kept.names == ("login_count_30d", "won_count_30d")
    assert kept.horizons_days == SPEC.horizons_days


def test_restricting_to_nothing_says_what_is_needed() -> None:
    with pytest.raises(ConfigError, match="None of the 64 features of model churn"):
        SPEC.restricted_to(["colour"])


def test_spec_survives_json() -> None:
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize("wrong", [{"horizons_days": (90, 30)}, {"features": (Feature("a"), Feature("a"))}])
def test_spec_refuses_what_cannot_be_meant(wrong: dict[str, object]) -> None:
    given = {"name": "x", "title": "x", "entity_id": ("id",), "features": (Feature("a"),), "output": "hazard"}
    with pytest.raises(ConfigError):
        ModelSpec(**{**given, **wrong})  # type: ignore[arg-type]


def test_ready_made_columns_become_features_by_their_type() -> None:
    frame = pd.DataFrame(
        {
            "lead": [1, 2], "Umsatz {€}": [1.5, np.nan], "aktiv": [True, False], "Land": ["DE", None],
            "label": [0, 1],
        }
    )  # fmt: skip
    spec = ModelSpec.from_columns("fit", frame, entity_id=("lead",), skip=["label"], horizons_days=(90,))
    assert {f.name: f.kind for f in spec.features} == {
        "Umsatz {€}": "number", "aktiv": "flag", "Land": "category"
    }  # fmt: skip
    assert spec.groups == ("context",)
    assert spec.features[0].sentence.format(value=3, peer=4) == "Umsatz {€} is 3; usual here: 4."


@pytest.mark.parametrize(
    ("column", "base"),
    [("orders_lag1", "orders"), ("orders_trend", "orders"), ("orders_delta", "orders"), ("lag1", "lag1"),
     ("orders_lag2_delta", "orders"), ("flagship", "flagship")],
)  # fmt: skip
def test_lags_and_trends_share_the_factor_of_their_column(column: str, base: str) -> None:
    assert base_column(column) == base


def _drop_in(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


TOY = (
    "from models.spec import Feature, ModelSpec\n"
    "SPEC = ModelSpec('{}', 'Toy', ('partner_id',), (Feature('age'),), 'probability')\n"
)


@pytest.fixture
def extra_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    before = set(sys.modules)
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("models.toy"):
            del sys.modules[name]


def test_model_dropped_into_a_folder_is_found_with_nothing_else_changed(extra_models: Path) -> None:
    _drop_in(extra_models, "toy_first_deal", TOY.format("time_to_first_deal"))
    assert specs()["time_to_first_deal"].names == ("age",)
    assert "churn" in specs()


def test_two_folders_cannot_claim_one_name(extra_models: Path) -> None:
    _drop_in(extra_models, "toy_again", TOY.format("churn"))
    with pytest.raises(ConfigError, match="called 'churn'"):
        specs()


def test_spec_that_is_none_is_refused_by_name(extra_models: Path) -> None:
    _drop_in(extra_models, "toy_wrong", "SPEC = {'name': 'x'}\n")
    with pytest.raises(ConfigError, match=r"models\.toy_wrong\.SPEC is a dict"):
        specs()


def test_folder_without_spec_is_no_model(extra_models: Path) -> None:
    _drop_in(extra_models, "toy_empty", "")
    assert "toy_empty" not in specs()
