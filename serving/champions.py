"""Where models come from: the registry's champion, else the last one known here, else the bento's seed.

A bundle is verified before it is loaded. One that is refused is not tried again for a minute, and the model
that serves goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data.errors import BundleError, PartnerIntelError
from serving.lastknown import read_json, write_json
from serving.view import Served, Source

RETRY_SECONDS = 60.0
RECORD = "champions.json"


class ChampionRegistry(Protocol):
    """The part of models.registry.Registry that serving reads."""

    def names(self) -> Iterable[str]:
        """Models to look for."""
        ...

    def champion(self, model: str) -> Any:
        """The champion of a model, or None."""
        ...

    def fetch(self, model: str, version: int) -> Path:
        """Folder of a verified local copy."""
        ...


@dataclass(frozen=True)
class Pick:
    """A version that should serve, and where its bundle lies.

    Attributes:
        model: Model name.
        version: Version in the registry.
        manifest_sha256: Identity the bundle must have.
        source: Where the choice came from.
        folder: Gives the bundle's folder; may copy it first.
        promoted_at: RFC 3339, when known.
    """

    model: str
    version: str
    manifest_sha256: str
    source: Source
    folder: Callable[[], Path]
    promoted_at: str | None = None


class Champions:
    """Finds and loads the models that should serve.

    Args:
        registry: The registry.
        home: Folder of the last-known record.
        workspace: Folder that relative bundle paths start from.
        seed: The bento's seed folder; None outside a bento.
        ticks: Seconds that only go forward.
    """

    def __init__(
        self,
        registry: ChampionRegistry,
        *,
        home: Path,
        workspace: Path,
        seed: Path | None,
        ticks: Callable[[], float],
    ) -> None:
        self._registry, self._ticks = registry, ticks
        self._record, self._workspace, self._seed = home / RECORD, workspace, seed
        self._refused: dict[tuple[str, str, str], tuple[float, str]] = {}

    def latest(self, current: Mapping[str, Served]) -> tuple[Mapping[str, Served], Mapping[str, str]]:
        """Models that should serve now, and faults by `model <name>`."""
        serving: dict[str, Served] = {}
        faults: dict[str, str] = {}
        for name in sorted({*self._known(faults), *current}):
            served, fault = self._one(name, current.get(name))
            if served is not None:
                serving[name] = served
            if fault:
                faults[f"model {name}"] = fault
        if any(serving.get(n) is not current.get(n) for n in serving):
            self._remember(serving)
        return serving, faults

    def version(self, model: str, version: str, manifest_sha256: str) -> Served:
        """One particular version, for a replay.

        Raises:
            PartnerIntelError: It cannot be had, or is not the one that decided then.
        """
        for pick in self._anywhere(model, version, manifest_sha256):
            try:
                return _load(pick)
            except (PartnerIntelError, OSError):
                continue
        raise BundleError(
            f"Version {version} of {model} with the identity on record cannot be found or is damaged.",
            next_step="Restore it in the registry, then ask again.",
        )

    def folder_of(self, model: str, served: Served) -> Path:
        """Folder of the bundle that serves.

        Raises:
            BundleError: It is no longer there.
        """
        for pick in self._anywhere(model, served.version, served.bundle.manifest_sha256):
            try:
                folder = pick.folder()
            except (PartnerIntelError, OSError):
                continue
            if folder.is_dir():
                return folder
        raise BundleError(f"The bundle of {model} {served.version} is no longer there.")

    def _known(self, faults: dict[str, str]) -> set[str]:
        recorded = {*self._noted(self._record), *self._noted(self._seeded)}
        try:
            return {*recorded, *self._registry.names()}
        except Exception as error:
            faults["registry"] = f"cannot be listed ({type(error).__name__})"
            return recorded

    def _one(self, name: str, current: Served | None) -> tuple[Served | None, str]:
        pick, fault = self._wanted(name)
        if pick is None or (fault and current is not None):
            return current, fault
        if current is not None and _same(current, pick):
            return current, fault
        served, refusal = self._try(pick)
        if served is None and current is None and pick.source == "registry":
            # Boot with a damaged champion: the last good one on this machine, then the seed.
            for other in self._fallbacks(name):
                served, _ = self._try(other)
                if served is not None:
                    break
        return served or current, refusal or fault

    def _wanted(self, name: str) -> tuple[Pick | None, str]:
        """What should serve, and why it is not the registry's word when it is not."""
        fault = ""
        try:
            champion = self._registry.champion(name)
        except Exception as error:
            champion, fault = None, f"the registry cannot be read ({type(error).__name__})"
        if champion is not None:
            return self._of_registry(champion), ""
        fallback = next(iter(self._fallbacks(name)), None)
        if fallback is not None and fallback.source == "local" and not fault:
            fault = "the registry names no champion; the last one known here serves"
        return fallback, fault

    def _fallbacks(self, name: str) -> list[Pick]:
        found = [self._of_note(name, self._noted(self._record).get(name), "local", self._workspace)]
        if self._seed is not None:
            found.append(self._of_note(name, self._noted(self._seeded).get(name), "seed", self._seed))
        return [p for p in found if p is not None]

    def _anywhere(self, model: str, version: str, manifest_sha256: str) -> list[Pick]:
        found = []
        if version.isdigit():
            registry = self._registry
            found.append(
                Pick(model, version, manifest_sha256, "registry", lambda: registry.fetch(model, int(version)))
            )
        return found + [p for p in self._fallbacks(model) if p.manifest_sha256 == manifest_sha256]

    @property
    def _seeded(self) -> Path:
        return (self._seed or self._workspace / "no-seed") / RECORD

    def _noted(self, path: Path) -> Mapping[str, Any]:
        found = read_json(path)
        return found if isinstance(found, dict) else {}

    def _of_registry(self, champion: Any) -> Pick:
        registry, name, version = self._registry, champion.model, champion.version
        promoted = champion.promoted_at
        return Pick(
            name,
            str(version),
            champion.manifest_sha256,
            "registry",
            lambda: registry.fetch(name, version),
            promoted if promoted is None or isinstance(promoted, str) else promoted.isoformat() + "Z",
        )

    def _of_note(self, name: str, note: Any, source: Source, root: Path) -> Pick | None:
        if not isinstance(note, dict) or not {"version", "manifest_sha256", "folder"} <= set(note):
            return None
        folder = root / note["folder"]
        promoted = note.get("promoted_at")
        return Pick(name, note["version"], note["manifest_sha256"], source, lambda: folder, promoted)

    def _try(self, pick: Pick) -> tuple[Served | None, str]:
        key = (pick.model, pick.version, pick.manifest_sha256)
        since, why = self._refused.get(key, (float("-inf"), ""))
        if self._ticks() - since < RETRY_SECONDS:
            return None, why
        try:
            served = _load(pick)
        except Exception as error:
            said = str(error) if isinstance(error, PartnerIntelError) else type(error).__name__
            why = f"version {pick.version} was refused: {said}"
            self._refused[key] = (self._ticks(), why)
            return None, why
        self._refused.pop(key, None)
        return served, ""

    def _remember(self, serving: Mapping[str, Served]) -> None:
        """Note what serves from the registry, for a boot without it."""
        notes = dict(self._noted(self._record))
        for name, served in serving.items():
            if served.source == "registry":
                folder = Path("bundles") / name / served.version
                if (self._workspace / folder).is_dir():
                    notes[name] = {
                        "version": served.version,
                        "manifest_sha256": served.bundle.manifest_sha256,
                        "folder": str(folder),
                        "promoted_at": served.promoted_at,
                    }
        if notes != self._noted(self._record):
            write_json(self._record, notes)


def _same(served: Served, pick: Pick) -> bool:
    return served.version == pick.version and served.bundle.manifest_sha256 == pick.manifest_sha256


def _load(pick: Pick) -> Served:
    from models.bundle import load_bundle

    bundle = load_bundle(pick.folder(), expected=pick.manifest_sha256)
    return Served(bundle, pick.version, pick.source, pick.promoted_at)
