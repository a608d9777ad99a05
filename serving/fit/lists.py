"""The birth of a list: uploaded, mapping proposed and confirmed, every row in its place, scored.

Nothing of the file is changed: its cells are kept as text, row by row, and given back beside ours.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from data.errors import DataError, InputError
from data.spreadsheet import Limits, TextTable, propose_mapping, read_table
from serving.auth import Identity
from serving.fit.checked import COUNTED, Checked, of_headers, of_intake, unpacked
from serving.fit.intake import (
    Intake,
    Links,
    Step,
    check_mapping,
    names_companies,
    proposed,
    take_in,
)
from serving.fit.partners import known_partners
from serving.fit.ranking import rank
from serving.fit.records import row_records
from serving.fit.scoring import FitScoring
from serving.fit.shapes import after_its_job, list_shape, recorded, unreadable
from serving.fit.store import ListStore
from serving.ids import new_id
from serving.jobs import Progress, Work
from serving.shared import Shared
from serving.state import iso

AT_ONCE = 2_000
"""Prospects scored within a request; more are a job."""
CHECKED_AT_ONCE = 10_000
"""Rows compared with each other and with partners within a request; more are a job."""
MOST_ROWS = 200_000
"""Rows of a list: what that costs is measured in docs/explanation/fit.md."""


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
        check: bool = True,
    ) -> dict[str, Any]:
        """Read a file, propose a mapping, and say what would become of every row; nothing is scored yet.

        A file whose header tells neither name nor domain is kept all the same, to be mapped; a long one is
        checked by a job, unless `check` is off because it is confirmed unseen.

        Raises:
            InputError: The file cannot be read, a mapping does not fit it, or too many rows.
        """
        options = {"separator": separator, "encoding": encoding, "sheet": sheet}
        at = self._shared.edges.clock()
        list_id = new_id("lst", at=at, random=self._shared.edges.random)
        table = self._table(content, filename, options)
        if mapping is not None:
            check_mapping(mapping, table.columns)
        used = dict(mapping) if mapping is not None else proposed(propose_mapping(table.columns))
        short = len(table.rows) <= CHECKED_AT_ONCE
        first = self._checked(table, used) if short and names_companies(used) else of_headers(table, used)
        self.store.add(
            {
                "list_id": list_id,
                "owner": identity.owner,
                "name": (name or filename or "list")[:200],
                "state": "draft",
                "created_at": iso(at),
                "scored_at": None,
                "motion": motion,
                "columns": list(table.columns),
                "mapping": used,
                "counts": first.counts,
                "notes": list(table.notes),
                "models": {},
                "options": {**options, "filename": filename[:200]},
                "job_id": None,
                "content": zlib.compress(content, 6),
                "checked": first.packed(),
            },
            also=recorded(self._shared, identity, "fit_list.upload", list_id, {"rows": first.counts["rows"]}),
        )
        if check and first.links is None and names_companies(used):
            return self.dry_run(list_id, identity=identity)
        return list_shape(self.store.read(list_id, identity=identity), dry_run=first.dry_run)

    def dry_run(
        self, list_id: str, *, identity: Identity, mapping: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """What would become of every row under a mapping; it is kept until another mapping is tried.

        Returns:
            The list with its `dry_run`; while a job checks a long list, `job` names it and counts are null.

        Raises:
            NotFoundError: No such list.
            InputError: It is scored already, a job is at work on it, or the mapping does not fit.
        """
        found = self._draft(list_id, identity)
        before = unpacked(found["checked"]) if found["checked"] else None
        chosen = dict(found["mapping"] if mapping is None else mapping)
        if mapping is not None or before is None:
            check_mapping(chosen, found["columns"])
        asked_before = before is not None and before.mapping == chosen
        if before is not None and asked_before and (before.links or not names_companies(chosen)):
            return list_shape(found, dry_run=before.dry_run)
        if int(found["counts"]["rows"]) <= CHECKED_AT_ONCE:
            return self._keep_check(found, self._checked(self._table_of(found), chosen), identity)

        rows = int(found["counts"]["rows"])

        def work(progress: Progress) -> Mapping[str, Any]:
            told = _steps(progress, rows)
            self._keep_check(found, self._checked(self._table_of(found), chosen, told), identity)
            return {"list_id": list_id}

        unknown = {"rows": rows, **dict.fromkeys(COUNTED)}
        self._as_job(
            "fit_list_check", work, found, identity, state="checking", mapping=chosen, counts=unknown
        )
        return self.draft(list_id, identity=identity)

    def draft(self, list_id: str, *, identity: Identity) -> dict[str, Any]:
        """A list to be confirmed with what is known of it; nothing is looked at anew.

        Raises:
            NotFoundError: No such list.
        """
        found = self._current(self.store.read(list_id, identity=identity, content=True), identity)
        if found["state"] == "ready":
            return list_shape(found)
        kept = unpacked(found["checked"]) if found["checked"] else None
        if kept is None or kept.mapping != found["mapping"]:
            kept = of_headers(self._table_of(found), found["mapping"])
        return list_shape(found, dry_run=kept.dry_run)

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
            InputError: It is scored already, a job is at work on it, or the mapping does not fit.
        """
        found = self._draft(list_id, identity)
        motion = motion or found["motion"]
        self._scoring.model_of(motion)
        chosen = dict(mapping) if mapping is not None else dict(found["mapping"])
        check_mapping(chosen, found["columns"])
        rows = int(found["counts"]["rows"])
        if rows <= AT_ONCE:
            self._score(found, chosen, motion, identity, lambda *_: None)
            return self.read(list_id, identity=identity)

        def work(progress: Progress) -> Mapping[str, Any]:
            return self._score(found, chosen, motion, identity, progress)

        self._as_job("fit_list", work, found, identity)
        return self.read(list_id, identity=identity)

    def read(self, list_id: str, *, identity: Identity) -> dict[str, Any]:
        """What is known of a list, without its rows.

        Raises:
            NotFoundError: No such list.
        """
        return list_shape(self._current(self.store.read(list_id, identity=identity), identity))

    def lists(self, *, identity: Identity, offset: int = 0, limit: int = 50) -> list[dict[str, Any]]:
        """Lists of the caller, newest first."""
        found = self.store.lists(identity=identity, offset=offset, limit=limit)
        return [list_shape(self._current(r, identity)) for r in found]

    def _score(
        self,
        found: Mapping[str, Any],
        mapping: Mapping[str, str],
        motion: str | None,
        identity: Identity,
        progress: Progress,
    ) -> Mapping[str, Any]:
        before = unpacked(found["checked"]) if found["checked"] else None
        links = before.links if before is not None and before.mapping == mapping else None
        rows = int(found["counts"]["rows"])
        told = _steps(progress, rows)
        intake = self._taken_in(self._table_of(found), mapping, links=links, progress=told)
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
        progress(len(ranked), len(ranked), "keeping the ranks")
        at, list_id = self._shared.edges.clock(), found["list_id"]
        by_points = sum(one.probability is None for one in ranked)
        kept = {
            **found["options"],
            "by_points": by_points,
            "year": options.year,
            "vetting": dict(options.vetting),
        }
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
            checked=None,
            job_id=None,
            also=recorded(
                self._shared,
                identity,
                "fit_list.score",
                list_id,
                {"rows": intake.counts["rows"], "models": used},
            ),
        )
        return {"list_id": list_id, "counts": intake.counts}

    def _checked(self, table: TextTable, mapping: Mapping[str, str], told: Step | None = None) -> Checked:
        return of_intake(self._taken_in(table, mapping, progress=told))

    def _keep_check(self, found: Mapping[str, Any], checked: Checked, identity: Identity) -> dict[str, Any]:
        list_id = found["list_id"]
        self.store.change(
            list_id,
            state="draft",
            job_id=None,
            mapping=dict(checked.mapping),
            counts=checked.counts,
            checked=checked.packed(),
        )
        return list_shape(self.store.read(list_id, identity=identity), dry_run=checked.dry_run)

    def _as_job(
        self, kind: str, work: Work, found: Mapping[str, Any], identity: Identity, **values: Any
    ) -> None:
        """Start a job that waits until the list says so: its end must not be overwritten by its beginning."""
        noted = Event()

        def after_noting(progress: Progress) -> Mapping[str, Any]:
            noted.wait()
            return work(progress)

        job = self._shared.jobs.start(kind, after_noting, identity=identity, total=found["counts"]["rows"])
        try:
            self.store.change(found["list_id"], job_id=job.job_id, **values)
        finally:
            noted.set()

    def _table_of(self, found: Mapping[str, Any]) -> TextTable:
        return self._table(zlib.decompress(found["content"]), found["options"]["filename"], found["options"])

    def _table(self, content: bytes, filename: str, options: Mapping[str, Any]) -> TextTable:
        try:
            return read_table(
                content,
                filename,
                encoding=options["encoding"],
                separator=options["separator"],
                sheet=options["sheet"],
                limits=Limits(file_bytes=self._shared.settings.max_upload_bytes, rows=MOST_ROWS),
            )
        except DataError as error:
            raise unreadable(error) from error

    def _taken_in(
        self,
        table: TextTable,
        mapping: Mapping[str, str],
        *,
        links: Links | None = None,
        progress: Step | None = None,
    ) -> Intake:
        partners = known_partners(Path(self._shared.workspace) / "lake")
        return take_in(table, mapping=mapping, partners=partners, links=links, progress=progress)

    def _current(self, found: dict[str, Any], identity: Identity) -> dict[str, Any]:
        return after_its_job(found, self._shared, identity)

    def _draft(self, list_id: str, identity: Identity) -> dict[str, Any]:
        found = self._current(self.store.read(list_id, identity=identity, content=True), identity)
        if found["state"] == "ready":
            raise InputError(
                "The list is scored already.", next_step="Upload it again to score it anew.", pointer=""
            )
        if found["job_id"]:
            raise InputError(
                "A job is at work on the list.", next_step=f"Wait for job {found['job_id']}.", pointer=""
            )
        return found


def _steps(progress: Progress, rows: int) -> Step:
    return lambda share, doing: progress(int(share * rows), rows, doing)
