"""partnerintel.yaml: how the customer's files, queries and columns become ours."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data.errors import ConfigError
from data.tables import TABLES
from data.yamlfile import read_yaml

CONFIG_NAME = "partnerintel.yaml"
SECTIONS = (
    "config_version",
    "root",
    "sources",
    "tables",
    "snapshots",
    "features",
    "feeds",
    "churn",
    "alerts",
    "tiers",
    "routing",
    "fit",
    "scorecards",
    "training",
    "evaluation",
    "serving",
)
Scalar = bool | int | float | str
Settings = TypeVar("Settings", bound=BaseModel)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SourceSettings(_Section):
    """A database, by SQLAlchemy URL; `duckdb:///file.duckdb` is opened read-only."""

    url: str


class Origin(_Section):
    """Where rows come from and how their text is to be read: shared by tables and snapshots."""

    path: str | None = None
    query: str | None = None
    source: str | None = None
    where: str | None = None
    dates: tuple[str, ...] = ()
    decimal: Literal[".", ","] | None = None
    separator: Literal[",", ";", "\t", "|"] | None = None
    encoding: str | None = None
    missing_values: tuple[str, ...] = ()

    @field_validator("dates", "missing_values", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        many = value if isinstance(value, list | tuple) else [value]
        return tuple(v if isinstance(v, str) else str(v) for v in many)

    @model_validator(mode="after")
    def _one_origin(self) -> Origin:
        if (self.path is None) == (self.query is None):
            raise ValueError("give either `path:` (a file) or `query:` (SQL), and not both")
        if self.source is not None and self.query is None:
            raise ValueError("`source:` needs `query:`, the SQL to run there")
        return self


class TableMapping(Origin):
    """One origin of one canonical table.

    Attributes:
        columns: Canonical name to their name; None: same names.
        constants: Canonical name to one value for every row.
    """

    columns: dict[str, str] | None = None
    constants: dict[str, Scalar] = Field(default_factory=dict)


class SnapshotMapping(Origin):
    """Rows of (entity, as_of, ready-made columns, label).

    Attributes:
        model: fit, churn, routing, tiering, or a custom model.
        entity_id: Column or columns that identify an entity.
        as_of: Column of the date the row describes, or None.
        label: Column of the outcome, or None for rows to be scored.
        positive: Text that means yes, when the label is text.
        bands: Least values of the second, third… ordered class of a numeric label.
        horizon_days: How far the label looks ahead.
        post_outcome: Columns filled after the outcome; dropped.
        group: Column that binds related entities, such as the parent company.
        order_by: Column that orders rows when there is no as_of.
        lags: Whether earlier snapshots of an entity become lag and trend columns.
    """

    model: str
    entity_id: tuple[str, ...]
    as_of: str | None = None
    label: str | None = None
    positive: Scalar | None = None
    bands: tuple[float, ...] = ()
    horizon_days: int | None = Field(default=None, gt=0)
    post_outcome: tuple[str, ...] = ()
    group: str | None = None
    order_by: str | None = None
    lags: bool = True

    @field_validator("model")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w .-]{0,99}", value):
            raise ValueError("a model's name is letters, digits, `_`, `-`, `.` and blanks, 100 at most")
        return value

    @field_validator("entity_id", "post_outcome", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("bands")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("bands must rise, such as [3, 11, 31]")
        return value


class DataSettings(_Section):
    """The data sections of partnerintel.yaml."""

    config_version: Literal[1] = 1
    root: str = "."
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    tables: dict[str, tuple[TableMapping, ...]] = Field(default_factory=dict)
    snapshots: tuple[SnapshotMapping, ...] = ()

    @field_validator("tables", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return value
        return {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in value.items()}

    @field_validator("snapshots", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return () if value is None else value

    @field_validator("sources", mode="before")
    @classmethod
    def _no_sources(cls, value: Any) -> Any:
        return {} if value is None else value

    def folder(self, base: Path) -> Path:
        """The folder that relative paths of the mappings start from."""
        return base / self.root

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> DataSettings:
        """The data sections of a whole configuration, as `read_config` returns it.

        Raises:
            ConfigError: Unknown keys, tables or columns, or values of the wrong kind.
        """
        keys = ("config_version", "root", "sources", "tables", "snapshots")
        settings = parse_settings(cls, {k: config[k] for k in keys if k in config}, at="")
        for table, mappings in settings.tables.items():
            check_names([table], TABLES, at="tables", what="table")
            names = TABLES[table].names
            for index, mapping in enumerate(mappings):
                at = f"tables.{table}" + (f"[{index}]" if len(mappings) > 1 else "")
                check_names(mapping.columns or {}, names, at=f"{at}.columns", what="column")
                check_names(mapping.constants, names, at=f"{at}.constants", what="column")
                _check_source(mapping.source, settings.sources, at=at)
        for index, snapshot in enumerate(settings.snapshots):
            _check_source(snapshot.source, settings.sources, at=f"snapshots[{index}]")
        return settings


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or '' when none is near."""
    names = list(known)
    by_fold = {n.casefold(): n for n in names}
    match = difflib.get_close_matches(str(name).casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[match[0]] if match else ""


def check_names(names: Iterable[str], known: Iterable[str], *, at: str, what: str = "key") -> None:
    """Refuse the first name that is not known, with its YAML path and the nearest known one.

    Raises:
        ConfigError: Always with `pointer` set to the path.
    """
    known = tuple(known)
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise ConfigError(
                f"{CONFIG_NAME}: {at + '.' if at else ''}{name} is not a known {what}.",
                allowed=", ".join(known),
                next_step=f"Did you mean `{near}`?" if near else "Remove it.",
                pointer=f"{at}.{name}" if at else str(name),
            )


def parse_settings(model: type[Settings], value: Any, *, at: str) -> Settings:
    """Validate one section with its settings model, errors put in words.

    Args:
        model: The package's frozen settings model.
        value: The section as parsed from YAML; None counts as empty.
        at: YAML path of the section, such as `training`.

    Raises:
        ConfigError: The first fault, with its YAML path.
    """
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        raise _in_words(model, error, at=at) from None


def _in_words(model: type[BaseModel], error: ValidationError, *, at: str) -> ConfigError:
    fault = error.errors(include_url=False)[0]
    location = [part for part in fault["loc"] if not (isinstance(part, str) and "[" in part)]
    path = at
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    if fault["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        near = nearest(str(location[-1]), known)
        return ConfigError(
            f"{CONFIG_NAME}: {path} is not a known key.",
            allowed=", ".join(known),
            next_step=f"Did you mean `{near}`?" if near else "Remove it.",
            pointer=path,
        )
    shown = repr(fault.get("input"))
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    text = fault["msg"].removeprefix("Value error, ")
    given = "" if path.startswith("sources") else f" Given: {shown}."  # a URL may hold a password
    return ConfigError(f"{CONFIG_NAME}: {path or 'the file'}: {text}.{given}", pointer=path)


def _keys_at(model: type[BaseModel], location: list[int | str]) -> tuple[str, ...]:
    """Field names of the model nested at a location, as far as annotations tell."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = _nested(current.model_fields[str(part)].annotation)
    return tuple(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else ()


def _nested(annotation: Any) -> Any:
    """The settings model inside an annotation such as dict[str, tuple[Model, ...]]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _nested(inner)
        if found is not None:
            return found
    return None


def _check_source(source: str | None, sources: Mapping[str, SourceSettings], *, at: str) -> None:
    if source is not None and source not in sources:
        near = nearest(source, sources)
        raise ConfigError(
            f"{CONFIG_NAME}: {at}.source names {source!r}, which `sources:` does not have.",
            allowed=", ".join(sources) or "none are configured",
            next_step=f"Did you mean `{near}`?" if near else "Add it under `sources:` with a `url:`.",
            pointer=f"{at}.source",
        )


def read_config(workspace: Path, *, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read partnerintel.yaml of a workspace, environment references expanded, unknown sections refused.

    Args:
        workspace: Folder that holds partnerintel.yaml.
        environ: Where `${NAME}` is looked up; None: the process environment, read now.

    Returns:
        Section name to its parsed value, for each package's settings model.

    Raises:
        ConfigError: The file is missing, is not YAML, or has an unknown section.
    """
    config = read_yaml(workspace / CONFIG_NAME, environ=os.environ if environ is None else environ)
    check_names(config, SECTIONS, at="")
    return config
