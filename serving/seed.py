"""What a bento carries: the champion bundles, and the last-known features with their managers."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from data.errors import NotFoundError
from serving.champions import RECORD
from serving.lastknown import write_json
from serving.partners import NOTE
from serving.resident import Resident


def fill_seed(target: Path, *, workspace: Path, now: datetime) -> list[str]:
    """Write the seed of a bento from a workspace; whatever was there is replaced.

    Args:
        target: Folder to fill, `seed/` beside bentofile.yaml.
        workspace: Its champions and features are taken.
        now: Naive UTC.

    Returns:
        `model version` of each bundle carried.

    Raises:
        NotFoundError: No model of the workspace can be served.
    """
    from serving.runtime import open_sources
    from serving.shared import real_edges

    edges = real_edges(clock=lambda: now)
    champions, partners = open_sources(workspace, edges=edges, seed=workspace / "no-seed")
    resident = Resident.quiet(champions, partners)
    view = resident.refresh()
    if not view.models:
        raise NotFoundError(
            "There is no champion to carry.",
            allowed="at least one promoted model",
            next_step="`partnerintel promote churn`, then build again.",
        )
    shutil.rmtree(target, ignore_errors=True)
    notes = {}
    for name, served in view.models.items():
        folder = Path("bundles") / name / served.version
        shutil.copytree(champions.folder_of(name, served), target / folder)
        notes[name] = {
            "version": served.version,
            "manifest_sha256": served.bundle.manifest_sha256,
            "folder": str(folder),
            "promoted_at": served.promoted_at,
        }
    write_json(target / RECORD, notes)
    if view.partners is not None:
        from serving.partners import Shelter

        Shelter(target / "matrix", target / NOTE).write(view.partners, with_matrix=True)
    return [f"{name} {served.version}" for name, served in sorted(view.models.items())]
