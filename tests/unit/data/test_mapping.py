"""partnerintel.yaml: what is understood, what is refused, and in which words."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from data.errors import ConfigError
from data.mapping import DataSettings, parse_settings, read_config


def _config(tmp_path, text, **environ):
    (tmp_path / "partnerintel.yaml").write_text(text, encoding="utf-8")
    return read_config(tmp_path, environ=environ)


def test_words_and_codes_stay_text(tmp_path):
    config = _config(
        tmp_path, "root: .\nchurn: {a: NO, b: 00123, c: yes, d: 2024-01-02, e: 1_000, f: 0x10, g: 1:30}"
    )
    assert list(config["churn"].values()) == ["NO", "00123", "yes", "2024-01-02", "1_000", "0x10", "1:30"]


def test_numbers_booleans_and_nothing_are_typed(tmp_path):
    config = _config(tmp_path, "churn: {a: 12, b: -1.5, c: 1e-3, d: true, e: False, f: null, g: ~, h: }")
    assert list(config["churn"].values()) == [12, -1.5, 0.001, True, False, None, None, None]


def test_environment_references_are_expanded_everywhere(tmp_path):
    text = "root: ${BASE:-../data}/x\nsources: {crm: {url: 'db://u:${SECRET}@h'}}\nchurn: {a: ['$${KEPT}']}"
    config = _config(tmp_path, text, SECRET="s3")
    assert config["root"] == "../data/x"
    assert config["sources"]["crm"]["url"] == "db://u:s3@h"
    assert config["churn"]["a"] == ["${KEPT}"]
    assert _config(tmp_path, text, SECRET="s3", BASE="/b")["root"] == "/b/x"


def test_an_unset_reference_without_default_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"sources.crm.url uses the environment variable SECRET, which is not set"
    ):
        _config(tmp_path, "sources: {crm: {url: 'db://${SECRET}'}}")


def test_no_file_says_what_to_run(tmp_path):
    with pytest.raises(ConfigError, match="partnerintel init"):
        read_config(tmp_path, environ={})


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list", "a: 1\na: 2", "root: .\nroot: x"])
def test_what_is_not_a_configuration_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        _config(tmp_path, text)


def test_a_section_with_a_typing_error_names_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"snapshot is not a known key.*Did you mean `snapshots`\?"):
        _config(tmp_path, "snapshot: []")


def test_an_empty_file_is_an_empty_configuration(tmp_path):
    assert DataSettings.from_config(_config(tmp_path, "# nothing yet\n")) == DataSettings()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"deal": {"path": "x"}}, r"tables.deal is not a known table.*Did you mean `deals`\?"),
        ({"deals": {"pth": "x"}}, r"tables.deals\[0\].pth is not a known key.*Did you mean `path`\?"),
        (
            {"deals": {"path": "x", "columns": {"amount": "y"}}},
            r"tables.deals.columns.amount .*`amount_usd`\?",
        ),
        (
            {"deals": [{"path": "x"}, {"path": "x", "constants": {"stat": "won"}}]},
            r"tables.deals\[1\].constants.stat",
        ),
        ({"deals": {"path": "x", "query": "y"}}, "either `path:` .* or `query:`"),
        ({"deals": {}}, "either `path:` .* or `query:`"),
        ({"deals": {"path": "x", "source": "crm"}}, "`source:` needs `query:`"),
        ({"deals": {"query": "x", "source": "crn"}}, r"names 'crn'.*Did you mean `crm`\?"),
        ({"deals": {"path": "x", "decimal": ";"}}, r"tables.deals\[0\].decimal"),
        (["deals"], "tables: Input should be a valid dictionary"),
    ],
)
def test_faults_are_named_by_their_path(tables, said):
    with pytest.raises(ConfigError, match=said):
        DataSettings.from_config({"tables": tables, "sources": {"crm": {"url": "sqlite://"}}})


def test_a_version_from_the_future_is_refused():
    with pytest.raises(ConfigError, match="config_version"):
        DataSettings.from_config({"config_version": 2})


def test_the_password_of_a_source_is_not_shown():
    with pytest.raises(ConfigError) as fault:
        DataSettings.from_config({"sources": {"crm": {"uri": "db://u:secret@h"}}})
    assert "secret" not in str(fault.value)


def test_the_fixed_shape_of_snapshots_is_understood():
    settings = DataSettings.from_config(
        {
            "snapshots": [
                {
                    "model": "churn",
                    "path": "panel.csv",
                    "entity_id": "reseller_id",
                    "as_of": "snapshot_date",
                    "label": "churned",
                    "positive": "Yes",
                    "bands": [3, 11, 31],
                    "horizon_days": 90,
                    "post_outcome": ["orders_next_quarter"],
                    "group": "parent_id",
                    "order_by": "lead_number",
                }
            ]
        }
    )
    (snapshot,) = settings.snapshots
    assert (snapshot.entity_id, snapshot.bands, snapshot.lags) == (("reseller_id",), (3, 11, 31), True)


def test_bands_must_rise():
    snapshot = {"model": "tiering", "path": "x", "entity_id": "a", "bands": [3, 3]}
    with pytest.raises(ConfigError, match="bands must rise"):
        DataSettings.from_config({"snapshots": [snapshot]})


def test_sections_of_other_packages_get_the_same_words():
    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid")
        depth: int = 3

    class Outer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        inner: Inner = Inner()

    assert parse_settings(Outer, None, at="training").inner.depth == 3
    with pytest.raises(
        ConfigError, match=r"training.inner.dept is not a known key. Allowed: depth. Did you mean"
    ):
        parse_settings(Outer, {"inner": {"dept": 4}}, at="training")


def test_root_is_relative_to_the_workspace():
    assert DataSettings(root="../x").folder(Path("/a/b")) == Path("/a/b/../x")
