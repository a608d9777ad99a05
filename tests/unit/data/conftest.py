"""Workspaces in a temporary folder, ingested at one fixed time."""

from datetime import datetime

import pytest

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings

NOW = datetime(2025, 1, 1)


class Workspace:
    def __init__(self, folder):
        self.folder = folder
        self.lake = Lake(folder / "lake")
        self.labels = []

    def write(self, name, content, encoding="utf-8"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def ingest(self, tables, *, sources=None, at=NOW, lake=None):
        settings = DataSettings.from_config({"tables": tables, "sources": sources or {}})
        return ingest(
            settings,
            base=self.folder,
            lake=lake or self.lake,
            ingested_at=at,
            progress=lambda label, share: self.labels.append((label, share)),
        )

    def surveys(self, content, written_as="utf-8", **options):
        """Ingest one surveys file and return its report, findings and rows."""
        self.write("surveys.csv", content, written_as)
        report = self.ingest({"surveys": {"path": "surveys.csv", **options}})
        faults = [f for f in report.findings if f.row is not None]
        return report.tables["surveys"], faults, self.lake.read("surveys")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)
