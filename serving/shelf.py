"""What there is to know about the models: in service or not, since when, and how they were judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import NotFoundError
from serving.lastknown import read_json
from serving.view import Served, View

HEADLINE = ("split", "n_train", "n_test", "base_rate", "metrics", "baselines", "gate")


class Shelf:
    """Describes models.

    Args:
        view: What is in service now.
        reports: Folder of evaluation reports, `<model>/<version>.json`.
    """

    def __init__(self, view: Callable[[], View], *, reports: Path) -> None:
        self._view, self._reports = view, reports

    def models(self) -> list[dict[str, Any]]:
        """All models, by name."""
        from models.catalog import specs

        view = self._view()
        return [self._describe(name, view) for name in sorted({*specs(), *view.models})]

    def model(self, name: str) -> dict[str, Any]:
        """One model.

        Raises:
            NotFoundError: There is none of that name.
        """
        from models.catalog import specs

        view = self._view()
        if name not in specs() and name not in view.models:
            raise NotFoundError("There is no model of that name.", allowed=", ".join(sorted(specs())))
        return self._describe(name, view)

    def horizons(self, name: str) -> list[int]:
        """Horizons a model answers for: those in service, else those authored."""
        from models.catalog import specs

        served = self._view().models.get(name)
        if served is not None:
            return sorted(served.bundle.horizons)
        return list(specs()[name].horizons_days) if name in specs() else []

    def _describe(self, name: str, view: View) -> dict[str, Any]:
        from models.catalog import specs

        served = view.models.get(name)
        spec = served.bundle.spec if served else specs()[name]
        fault = view.faults.get(f"model {name}")
        return {
            "name": name,
            "title": spec.title,
            "in_service": served is not None,
            "entity_id": list(spec.entity_id),
            "features": list(spec.names),
            **_in_service(served, fallback_horizons=list(spec.horizons_days)),
            "report": self._headline(name, served),
            "faults": [fault] if fault else [],
        }

    def _headline(self, name: str, served: Served | None) -> dict[str, Any] | None:
        if served is None:
            return None
        report = read_json(self._reports / name / f"{served.version}.json")
        return {k: report[k] for k in HEADLINE if k in report} if isinstance(report, dict) else None


def _in_service(served: Served | None, *, fallback_horizons: list[int]) -> dict[str, Any]:
    if served is None:
        nothing = ("version", "source", "kind", "manifest_sha256", "promoted_at", "scale")
        return {**dict.fromkeys(nothing), "horizons_days": fallback_horizons, "trained": {}}
    bundle = served.bundle
    return {
        "version": served.version,
        "source": served.source,
        "kind": bundle.kind,
        "manifest_sha256": bundle.manifest_sha256,
        "promoted_at": served.promoted_at,
        "scale": bundle.link,
        "horizons_days": sorted(bundle.horizons),
        # Who was learnt from is told to those who may see them, with their scores.
        "trained": {k: v for k, v in bundle.trained.items() if k != "recruited"},
    }
