"""The same views for Feast: one entity, and for each view a file source over its snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.catalog import VIEWS
from features.definition import ViewDefinition
from features.layout import CREATED, EVENT_US, SEQUENCE, snapshot_folder


def entity() -> Any:
    """The entity all views share: a partner."""
    from feast import Entity, ValueType

    return Entity(name="partner", join_keys=["partner_id"], value_type=ValueType.STRING)


def feature_view(view: ViewDefinition, *, features_root: Path) -> Any:
    """A view over `features/snapshots/<view>/*.parquet`.

    Two columns more than the offline view: event time and ingest sequence of the stored row, which our own
    ordering rule reads back. There is no TTL: Feast does not enforce it online, and drops rows with it
    offline; staleness is worked out from the event time.
    """
    from datetime import timedelta

    from feast import FeatureView, Field, FileSource
    from feast.data_format import ParquetFormat
    from feast.types import Float64, Int64, String

    folder = snapshot_folder(features_root, view.name)
    source = FileSource(
        name=f"{view.name}_snapshots",
        path=str(folder / "*.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="as_of",
        created_timestamp_column=CREATED,
    )
    fields = [
        Field(name=f.name, dtype=String if f.kind == "category" else Float64, description=f.meaning)
        for f in view.features
    ]
    order = [Field(name=name.format(view.name), dtype=Int64) for name in (EVENT_US, SEQUENCE)]
    return FeatureView(
        name=view.name,
        entities=[entity()],
        schema=[Field(name="partner_id", dtype=String), *fields, *order],
        source=source,
        ttl=timedelta(0),
        online=True,
        description=view.title,
    )


def feast_objects(features_root: Path) -> list[Any]:
    """Everything to apply, as an explicit list: `feast apply` would import every .py of a folder."""
    return [entity(), *(feature_view(v, features_root=features_root) for v, _ in VIEWS.values())]
