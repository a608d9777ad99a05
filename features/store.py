"""The feature store of a workspace: snapshots offline, Feast's registry, and the newest features online."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data.errors import MissingDataError
from features.catalog import VIEWS, definitions, view, view_of
from features.historical import asof_join
from features.journal import Journal
from features.layout import saved_as_ofs, snapshot_path
from features.online import OnlineRows, OnlineStore, WriteReport
from features.settings import FeatureSettings


class FeatureStore:
    """Features of a workspace, by date and by partner.

    Args:
        settings: Which online store.
        root: The workspace.
    """

    def __init__(self, settings: FeatureSettings, root: Path) -> None:
        self.settings = settings
        self.features_root = root.resolve() / "features"
        self.feast_root = root.resolve() / "feast"

    @cached_property
    def feast(self) -> Any:
        """The Feast store; made on first use, since importing Feast takes seconds."""
        from features.feast_import import import_feast

        feast = import_feast()
        self.feast_root.mkdir(parents=True, exist_ok=True)
        return feast.FeatureStore(config=self._feast_config())

    @cached_property
    def online_store(self) -> OnlineStore:
        """The online store with our ordering rule."""
        return OnlineStore(self.feast, self.feast_root / "online.lock", self.journal)

    @cached_property
    def journal(self) -> Journal:
        """What was lately written to the online store."""
        return Journal(self.feast_root / "journal")

    def apply(self) -> None:
        """Register the entity and the views with Feast, from an explicit list."""
        from features.views import feast_objects

        for name in VIEWS:
            snapshot_path(self.features_root, name, date.min).parent.mkdir(parents=True, exist_ok=True)
        self.feast.apply(feast_objects(self.features_root), partial=True)
        if self.settings.online.type == "sqlite":
            # Readers go on while a writer commits.
            with closing(sqlite3.connect(self.feast_root / "online.db")) as connection:
                connection.execute("PRAGMA journal_mode=WAL")

    def materialise(self, as_of: date, *, now: datetime | None = None) -> dict[str, WriteReport]:
        """Offer the snapshots of one date to the online store.

        Args:
            as_of: A date that has snapshots.
            now: The present, naive UTC; None: the date itself, which is when its features were known.

        Raises:
            MissingDataError: There is no snapshot of that date.
        """
        present = now or datetime(as_of.year, as_of.month, as_of.day)
        reports = {}
        for name in VIEWS:
            path = snapshot_path(self.features_root, name, as_of)
            if not path.is_file():
                raise MissingDataError(
                    f"There is no snapshot of {name} for {as_of}.",
                    allowed=", ".join(map(str, saved_as_ofs(self.features_root))) or "none is built yet",
                    next_step="Run `partnerintel features`.",
                )
            rows = pq.read_table(path, columns=["partner_id", "as_of", *view(name).columns]).to_pandas()
            reports[name] = self.online_store.write(
                name, rows.rename(columns={"as_of": "event_at"}), now=present
            )
        self._note(as_of)
        return reports

    def historical(self, entity_frame: Any, *, columns: Sequence[str] | None = None) -> Any:
        """Features as they were known at each row's `as_of`; see `features.historical.asof_join`.

        Args:
            entity_frame: DataFrame with partner_id and as_of.
            columns: Feature names, in this order; None: all.
        """
        wanted = list(definitions()) if columns is None else list(columns)
        by_view: dict[str, list[str]] = {}
        for column in wanted:
            by_view.setdefault(view_of(column), []).append(column)
        joined = asof_join(entity_frame, parts=[(self._files(n), found) for n, found in by_view.items()])
        return joined[[*(c for c in entity_frame.columns if c not in wanted), *wanted]]

    def online(self, partner_ids: Sequence[str], columns: Sequence[str] | None = None) -> Any:
        """Newest features: DataFrame with index partner_id and the columns asked for, in this order."""
        return self.online_rows(partner_ids, columns).frame

    def online_rows(self, partner_ids: Sequence[str], columns: Sequence[str] | None = None) -> OnlineRows:
        """Newest features with their event times."""
        wanted = list(definitions()) if columns is None else list(columns)
        return self.online_store.read(list(partner_ids), wanted)

    def materialised(self) -> tuple[date, tuple[str, ...]] | None:
        """Date of the newest snapshots offered to the online store, and their partners; None before."""
        try:
            noted = json.loads((self.feast_root / "materialised.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        as_of = date.fromisoformat(noted["as_of"])
        path = snapshot_path(self.features_root, "firmographics", as_of)
        partners = pq.read_table(path, columns=["partner_id"])["partner_id"].to_pylist()
        return as_of, tuple(sorted(partners))

    def _note(self, as_of: date) -> None:
        from features.files import write_json

        path = self.feast_root / "materialised.json"
        before = json.loads(path.read_text(encoding="utf-8"))["as_of"] if path.is_file() else ""
        write_json(path, {"as_of": max(before, as_of.isoformat())})

    def _files(self, name: str) -> list[Path]:
        dates = saved_as_ofs(self.features_root, views=[name])
        if not dates:
            raise MissingDataError(
                f"There is no snapshot of {name}.", next_step="Run `partnerintel features`."
            )
        return [snapshot_path(self.features_root, name, d) for d in dates]

    def _feast_config(self) -> Any:
        from feast.repo_config import RepoConfig

        online = self.settings.online
        # Feast's own ordering is switched off on Redis: it would drop corrections of the same event time.
        stores: dict[str, dict[str, Any]] = {
            "sqlite": {"type": "sqlite", "path": str(self.feast_root / "online.db")},
            "redis": {"type": "redis", "connection_string": online.connection_string, "skip_dedup": True},
        }
        return RepoConfig(
            project=online.project,
            provider="local",
            registry={"registry_type": "sql", "path": f"sqlite:///{self.feast_root / 'registry.db'}"},
            offline_store={"type": "duckdb"},
            online_store=stores[online.type],
            entity_key_serialization_version=3,
            repo_path=self.feast_root,
        )
