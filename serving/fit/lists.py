"""The birth of a list: uploaded, mapping proposed and confirmed, every row in its place, scored.

Nothing of the file is changed: its cells are kept as text, row by row, and given back beside ours.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.errors import DataError, InputError
from data.spreadsheet import Limits, read_table
from serving.auth import Identity
from serving.fit.intake import Intake, take_in
from serving.fit.partners import known_partners
from serving.fit.ranking import rank
from serving.fit.records import row_records
from serving.fit.scoring import FitScoring
from serving.fit.shapes import list_shape, record
from serving.fit.store import ListStore
from serving.ids import new_id
from serving.jobs import Progress
from serving.shared import Shared
from serving.state import iso

AT_ONCE = 2_000
MOST_ROWS = 50_000


class Lists:
    """Lists of prospects.

    Args:
        shared: What every capability is made from.
        scoring: Scores prospects.
    """

    def __init__(self, shared: Shared, scoring: FitScoring) -> None:
        self._shared, self._scoring = shared, scoring
        self.store = ListStore(shared.database)

    def upload(
        self,
        content: bytes,
        filename: str,
        *,
        identity: Identity,
        name: str = "",
        motion: str | None = None,
        mapping: Mapping[str, str] | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        sheet: str | None = None,
    ) -> dict[str, Any]:
        """Read a file, propose a mapping, and say what would become of every row; nothing is scored yet.

        Raises:
            DataError: The file cannot be read.
            InputError: A mapping that does not fit it, or too many rows.
        """
        options = {"separator": separator, "encoding": encoding, "sheet": sheet}
        at = self._shared.edges.clock()
        list_id = new_id("lst", at=at, random=self._shared.edges.random)
        intake = self._taken_in(content, filename, options, mapping)
        self.store.add(
            {
                "list_id": list_id,
                "owner": identity.owner,
                "name": (name or filename or "list")[:200],
                "state": "draft",
                "created_at": iso(at),
                "scored_at": None,
                "motion": motion,
                "columns": list(intake.table.columns),
                "mapping": dict(intake.mapping),
                "counts": intake.counts,
                "notes": list(intake.notes),
                "models": {},
                "options": {**options, "filename": filename[:200]},
                "job_id": None,
                "content": zlib.compress(content, 6),
            }
        )
        record(self._shared, identity, "fit_list.upload", list_id, {"rows": intake.counts["rows"]})
        return list_shape(self.store.read(list_id, identity=identity), dry_run=intake)

    def dry_run(
        self, list_id: str, *, identity: Identity, mapping: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """What would become of every row under a mapping; nothing is kept.

        Raises:
            NotFoundError: No such list.
            InputError: It is scored already, or the mapping does not fit.
        """
        found = self._draft(list_id, identity)
        intake = self._again(found, mapping)
        return list_shape({**found, "mapping": dict(intake.mapping), "counts": intake.counts}, dry_run=intake)

    def confirm(
        self,
        list_id: str,
        *,
        identity: Identity,
        mapping: Mapping[str, str] | None = None,
        motion: str | None = None,
    ) -> dict[str, Any]:
        """Score a list under a confirmed mapping: at once when it is short, else as a job.

        Returns:
            The list; `job` names the job that scores it, or is null when it is scored.

        Raises:
            NotFoundError: No such list.
            InputError: It is scored already, or the mapping does not fit.
        """
        found = self._draft(list_id, identity)
        motion = motion or found["motion"]
        self._scoring.model_of(motion)
        chosen = dict(mapping) if mapping is not None else dict(found["mapping"])
        rows = int(found["counts"]["rows"])
        if rows <= AT_ONCE:
            self._score(found, chosen, motion, identity, lambda *_: None)
            return self.read(list_id, identity=identity)

        def work(progress: Progress) -> Mapping[str, Any]:
            return self._score(found, chosen, motion, identity, progress)

        job = self._shared.jobs.start("fit_list", work, identity=identity, total=rows)
        self.store.change(list_id, job_id=job.job_id)
        return self.read(list_id, identity=identity)

    def read(self, list_id: str, *, identity: Identity) -> dict[str, Any]:
        """What is known of a list, without its rows.

        Raises:
            NotFoundError: No such list.
        """
        return list_shape(self.store.read(list_id, identity=identity))

    def lists(self, *, identity: Identity, offset: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        """Lists of the caller, newest first."""
        return [list_shape(r) for r in self.store.lists(identity=identity, offset=offset, limit=limit)]

    def _score(
        self,
        found: Mapping[str, Any],
        mapping: Mapping[str, str],
        motion: str | None,
        identity: Identity,
        progress: Progress,
    ) -> Mapping[str, Any]:
        intake = self._again(found, mapping)
        options = self._scoring.options(5)
        used: dict[str, Any] = {}

        def model_of(asked: str | None) -> Any:
            model = self._scoring.model_of(asked)
            served = model.served
            used[model.bundle.model] = {
                "version": served.version,
                "manifest_sha256": model.bundle.manifest_sha256,
                "kind": model.bundle.kind,
            }
            return model

        ranked = rank(
            intake.rows,
            model_of=model_of,
            motion=motion,
            options=options,
            progress=lambda done, of: progress(done, of, "scoring"),
        )
        at, list_id = self._shared.edges.clock(), found["list_id"]
        kept = {**found["options"], "year": options.year, "vetting": dict(options.vetting)}
        self.store.keep(
            list_id,
            row_records(list_id, intake, ranked),
            state="ready",
            scored_at=iso(at),
            motion=motion,
            mapping=dict(intake.mapping),
            counts=intake.counts,
            models=used,
            options=kept,
            content=None,
        )
        record(
            self._shared, identity, "fit_list.score", list_id, {"rows": intake.counts["rows"], "models": used}
        )
        return {"list_id": list_id, "counts": intake.counts}

    def _taken_in(
        self,
        content: bytes,
        filename: str,
        options: Mapping[str, Any],
        mapping: Mapping[str, str] | None,
    ) -> Intake:
        try:
            table = read_table(
                content,
                filename,
                encoding=options["encoding"],
                separator=options["separator"],
                sheet=options["sheet"],
                limits=Limits(file_bytes=self._shared.settings.max_upload_bytes, rows=MOST_ROWS),
            )
        except DataError as error:
            # What the caller sent cannot be read: theirs to mend, not ours.
            raise InputError(
                error.message, allowed=error.allowed, next_step=error.next_step, pointer="/file"
            ) from error
        partners = known_partners(Path(self._shared.workspace) / "lake")
        return take_in(table, mapping=mapping, partners=partners)

    def _again(self, found: Mapping[str, Any], mapping: Mapping[str, str] | None) -> Intake:
        content, options = zlib.decompress(found["content"]), found["options"]
        return self._taken_in(
            content, options["filename"], options, mapping if mapping is not None else found["mapping"]
        )

    def _draft(self, list_id: str, identity: Identity) -> dict[str, Any]:
        found = self.store.read(list_id, identity=identity, content=True)
        if found["state"] != "draft":
            raise InputError(
                "The list is scored already.", next_step="Upload it again to score it anew.", pointer=""
            )
        return found
