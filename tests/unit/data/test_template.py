"""What `init` writes can be used as it is, and once everything in it is uncommented."""

import csv
import re

import pytest
import yaml

from data.errors import ConfigError
from data.mapping import DataSettings, read_config
from data.tables import TABLES
from data.template import config_text, write_template


def test_the_configuration_is_valid_as_written(tmp_path):
    written = write_template(tmp_path / "new")
    settings = DataSettings.from_config(read_config(tmp_path / "new", environ={}))
    assert sorted(settings.tables) == ["deals", "partners"]
    assert written[0] == tmp_path / "new" / "partnerintel.yaml"
    assert all(path.is_file() for path in written)


def test_every_table_has_a_template_with_its_columns_and_a_description(tmp_path):
    write_template(tmp_path)
    guide = (tmp_path / "templates" / "README.md").read_text(encoding="utf-8")
    for table in TABLES.values():
        with (tmp_path / "templates" / f"{table.name}.csv").open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [list(table.names)]
        assert f"## {table.name}\n\n{table.doc}" in guide
        assert all(column.doc and column.doc in guide for column in table.columns)


def test_the_comments_are_valid_settings_too(tmp_path):
    """Uncommenting is what people do first: every commented-out line must work."""
    text = config_text()
    uncommented = []
    for line in text.splitlines():
        match = re.fullmatch(r"(\s*)# ?(\s*)(?:# )?((?:- )?[a-z_]+:.*)", line)
        uncommented.append("".join(match.groups()) if match else line)
    (tmp_path / "partnerintel.yaml").write_text("\n".join(uncommented), encoding="utf-8")
    config = read_config(tmp_path, environ={"CRM_PASSWORD": "x"})
    settings = DataSettings.from_config(config)
    assert sorted(settings.tables) == ["certifications", "deals", "events", "partners"]
    assert len(settings.tables["events"]) == 2
    assert settings.tables["deals"][0].decimal == ","
    assert settings.snapshots[0].bands == (3, 11, 31)
    assert sorted(settings.sources) == ["crm", "warehouse"]
    assert "churn" in config


def test_an_existing_configuration_is_never_overwritten(tmp_path):
    (tmp_path / "partnerintel.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        write_template(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["partnerintel.yaml"]


def test_the_template_is_plain_yaml():
    assert yaml.safe_load(config_text())["config_version"] == 1
