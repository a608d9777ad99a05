"""Prospects on the command line: a list ranked like an upload, the profile as a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError, NotFoundError
from partnerintel.outputs import check_output, write_whole
from partnerintel.progress import Tick
from partnerintel.prospect_rows import take_in_file
from partnerintel.scoring import champion_bundle
from partnerintel.settings import Project

if TYPE_CHECKING:
    from serving.fit.answers import FitModel
    from serving.fit.intake import Fault, Intake

FIT = "fit"
SUFFIXES = (".csv", ".xlsx", ".parquet")


@dataclass(frozen=True)
class RankedList:
    """What came of a list.

    Attributes:
        counts: Rows in = ranked + faults + duplicates + existing partners.
        mapping: Field → column.
        faults: Rows that cannot be used.
        notes: How the file was read.
        models: Model → version that ranked.
    """

    counts: Mapping[str, int]
    mapping: Mapping[str, str]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    models: Mapping[str, int]


def rank_list(
    project: Project,
    source: Path,
    *,
    output: Path | None,
    faults: Path | None,
    motion: str | None,
    mapping: Mapping[str, str] | None,
    now: datetime,
    tick: Tick,
) -> RankedList:
    """Read a list, put every row in its place, rank the prospects, and write the list back.

    Args:
        project: The workspace.
        source: CSV or XLSX.
        output: File to write; None: a dry run.
        faults: File for the faulty rows alone; None: none.
        motion: Motion of rows that name none.
        mapping: Field → column; None: what the headers leave no doubt about.
        now: Naive UTC.
        tick: Progress.

    Raises:
        DataError: The file cannot be read.
        InputError: A mapping or a place to write that cannot be used.
    """
    from serving.fit.answers import FitOptions
    from serving.fit.ranking import rank
    from serving.fit.records import row_records

    for asked in filter(None, (output, faults)):
        check_output(asked, suffixes=SUFFIXES)
    tick("reading", 0.0)
    intake = take_in_file(project, source, mapping)
    models: dict[str, int] = {}
    ranked = []
    if output is not None:
        model_of = _models(project, models)
        options = FitOptions.of(project.fit, None, year=now.year, max_reasons=5)
        ranked = rank(
            intake.rows,
            model_of=model_of,
            motion=motion,
            options=options,
            progress=lambda done, of: tick(f"{done:,} rows", 0.1 + 0.8 * done / max(of, 1)),
        )
    records = list(row_records("", intake, ranked))
    about = {"model_version": models, "scored_at": now.isoformat(timespec="seconds") + "Z"}
    for path, statuses in ((output, None), (faults, ("fault",))):
        if path is not None:
            _write(path, intake, records, statuses=statuses, about=about)
    return RankedList(intake.counts, intake.mapping, intake.faults, intake.notes, models)


def stream(project: Project, source: Path, output: Path, *, model: str, id_column: str, tick: Tick) -> int:
    """Score a CSV file into a Parquet file in chunks; returns the rows written.

    Raises:
        DataError: The file cannot be read in a stream.
        InputError: The output cannot be written.
    """
    from serving.fit.stream import score_stream

    check_output(output, suffixes=(".parquet",))
    if not source.is_file():
        raise InputError(f"There is no file {source}.")
    bundle, _ = champion_bundle(project, model)
    rows = 0

    def write(path: Path) -> None:
        nonlocal rows
        rows = score_stream(
            bundle,
            source,
            path,
            id_column=id_column,
            progress=lambda done, share: tick(f"{done:,} rows", share),
        )

    write_whole(output, write)
    return rows


def profile_pages(project: Project, *, model: str | None) -> list[str]:
    """The ideal partner profile of every champion of fit, or of one model, as Markdown.

    Raises:
        NotFoundError: No model of fit has a champion.
    """
    from models.bundle import load_bundle
    from models.fit.profile import changes, page, profile

    registry = project.registry_if_any()
    names = sorted(n for n in (registry.models() if registry else []) if n.partition(".")[0] == FIT)
    pages = []
    for name in [model] if model else names:
        if registry is None or registry.champion(name) is None:
            continue
        bundle, version = champion_bundle(project, name)
        found = profile(bundle)
        if found is None:
            continue
        earlier = [v.version for v in registry.versions(name) if v.version < version]
        before = profile(load_bundle(registry.fetch(name, earlier[-1]))) if earlier else None
        told = str(earlier[-1]) if earlier else None
        pages.append(page(found, version=str(version), moved=changes(found, before), before=told))
    if not pages:
        raise NotFoundError(
            "There is no ideal partner profile yet.",
            next_step="Run `partnerintel train fit` once partners have a known first year.",
        )
    return pages


def _models(project: Project, used: dict[str, int]) -> Callable[[str | None], FitModel]:
    """The profile of a motion where one serves, else the model of all motions."""
    from serving.fit.answers import FitModel
    from serving.view import Served

    loaded: dict[str, FitModel] = {}

    def load(name: str) -> FitModel:
        if name not in loaded:
            bundle, version = champion_bundle(project, name)
            loaded[name] = FitModel(Served(bundle, str(version), "registry"))
        return loaded[name]

    registry = project.registry_if_any()
    profiles = {n for n in (registry.models() if registry else []) if n.startswith(f"{FIT}.")}
    serving = {n for n in profiles if registry and registry.champion(n) is not None}

    def model_of(motion: str | None) -> FitModel:
        name = f"{FIT}.{' '.join(str(motion).split()).casefold()}" if motion else FIT
        chosen = load(name if name in serving else FIT)
        used[chosen.bundle.model] = int(chosen.served.version)
        return chosen

    return model_of


def _write(path: Path, intake: Intake, records: Any, *, statuses: Any, about: Mapping[str, Any]) -> None:
    import json

    from data.spreadsheet import write_table
    from serving.fit.export import STATUSES, export_frame

    rows = []
    for record in records:
        detail = json.loads(record["detail"])
        rows.append(
            {
                **record,
                **detail,
                "fit_probability": record["probability"],
                "model_version": about["model_version"].get(detail.get("model")),
                "scored_at": about["scored_at"] if record["status"] == "ranked" else None,
            }
        )
    frame = export_frame(intake.table.columns, rows, statuses=statuses or STATUSES)
    content = write_table(frame, path.suffix.removeprefix("."))  # type: ignore[arg-type]
    write_whole(path, lambda p: p.write_bytes(content))
