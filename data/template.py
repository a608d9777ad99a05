"""What `partnerintel init` writes: a commented partnerintel.yaml that teaches, and CSV templates."""

from __future__ import annotations

import csv
from pathlib import Path

from data.errors import ConfigError
from data.mapping import CONFIG_NAME
from data.tables import TABLES, Column, TableContract

FOLDER = "templates"


def write_template(directory: Path) -> list[Path]:
    """Write partnerintel.yaml and templates/ into a folder, which is made when needed.

    Args:
        directory: The new workspace.

    Returns:
        The files written, partnerintel.yaml first.

    Raises:
        ConfigError: There is a partnerintel.yaml already; nothing is written.
    """
    config = directory / CONFIG_NAME
    if config.exists():
        raise ConfigError(
            f"{config} exists already.", next_step="Edit it, or choose another folder.", pointer=str(config)
        )
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = [config]
    for table in TABLES.values():
        path = folder / f"{table.name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(table.names)
        written.append(path)
    guide = folder / "README.md"
    guide.write_text(tables_page(), encoding="utf-8")
    written.append(guide)
    config.write_text(config_text(), encoding="utf-8")
    return written


def config_text() -> str:
    """The commented partnerintel.yaml."""
    return Path(__file__).with_name("template.yaml").read_text(encoding="utf-8")


def tables_page() -> str:
    """A page that explains every table and column, for the people who fill the templates."""
    lines = [
        "# The tables",
        "",
        "Every file here is an empty template: a header and nothing else. Copy the ones you have, fill them,",
        "and name them under `tables:` in `partnerintel.yaml`. Or leave your own files as they are and map",
        "their columns there. All tables but `partners` and one with dated rows are optional.",
        "",
        "Times are UTC, as `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`. **Bold** columns must be filled.",
        "",
    ]
    for table in TABLES.values():
        lines += _section(table)
    return "\n".join(lines)


def _section(table: TableContract) -> list[str]:
    key = ", ".join(table.key)
    head = [
        f"## {table.name}",
        "",
        table.doc,
        "",
        f"Key: {key}.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    return [*head, *(_row(column) for column in table.columns), ""]


def _row(column: Column) -> str:
    name = f"**{column.name}**" if column.required else column.name
    notes = [column.doc]
    if column.allowed:
        notes.append(f"One of {', '.join(column.allowed)}.")
    if column.low is not None and column.high is not None:
        notes.append(f"From {column.low:g} to {column.high:g}.")
    elif column.low is not None:
        notes.append(f"At least {column.low:g}.")
    if column.personal:
        notes.append("Personal data: never used by a model.")
    return f"| {name} | {column.type} | {' '.join(notes)} |"
