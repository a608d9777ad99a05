"""Versions of models: artifacts kept by MLflow, the champion kept in rows of our own.

Only registering, mirroring the alias and fetching from a remote artifact store import MLflow; what serving
does (which version is champion, give me its verified folder) does not.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from data.errors import BundleError
from models import manifest
from models.ledger import Champion, Ledger, Version

__all__ = ["Champion", "Registry", "RegistrySettings", "Version"]

EXPERIMENT = "registry"
CANDIDATE, CHAMPION = "candidate", "champion"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegistrySettings:
    """Where the registry lies.

    Attributes:
        root: Workspace.
    """

    root: Path

    @property
    def tracking_uri(self) -> str:
        """SQL store of MLflow."""
        return f"sqlite:///{(self.root / 'mlflow' / 'mlflow.db').resolve()}"

    @property
    def artifact_uri(self) -> str:
        """Folder of MLflow's artifacts."""
        return (self.root / "mlflow" / "artifacts").resolve().as_uri()


class Registry:
    """Registers, promotes and fetches.

    Args:
        settings: Where it lies.
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self.settings = settings
        self._ledger = Ledger(settings.root / "registry.db")

    def models(self) -> list[str]:
        """Models with a version, sorted."""
        return self._ledger.models()

    def versions(self, model: str) -> list[Version]:
        """Versions of a model, oldest first."""
        return self._ledger.versions(model)

    def candidate(self, model: str) -> int | None:
        """The newest version, or None."""
        known = self.versions(model)
        return known[-1].version if known else None

    def champion(self, model: str) -> Champion | None:
        """The version that serves, or None."""
        return self._ledger.champion(model)

    def promotions(self, model: str) -> list[Mapping[str, Any]]:
        """What was promoted when, by whom and why, oldest first."""
        return self._ledger.promotions(model)

    def register(
        self,
        model: str,
        bundle_dir: Path,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """Keep an artifact as the next version and alias it `candidate`.

        Args:
            model: Model name.
            bundle_dir: What `save_bundle` wrote.
            run_id: MLflow run that made it; None: a run of its own.
            tags: Facts to record.

        Raises:
            BundleError: the folder is not a sound artifact.
        """
        identity, _ = manifest.verify(Path(bundle_dir))
        facts = {str(k): str(v) for k, v in (tags or {}).items()}
        client = self._client()
        run = run_id or self._run(client)
        client.log_artifacts(run, str(bundle_dir), f"bundle-{identity[:12]}")
        source = f"{client.get_run(run).info.artifact_uri}/bundle-{identity[:12]}"
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        made = client.create_model_version(
            model, source, run_id=run, tags={**facts, "manifest_sha256": identity}
        )
        version = int(made.version)
        self._ledger.add(Version(model, version, identity, run, self._portable(source), facts))
        client.set_registered_model_alias(model, CANDIDATE, str(version))
        return version

    def promote(
        self,
        model: str,
        version: int,
        *,
        expected: int | None,
        by: str,
        reason: str,
        at: datetime,
        mirror: bool = True,
    ) -> Champion:
        """Make a version the champion if the champion still is `expected` (None: there is none).

        Args:
            model: Model name.
            version: Version to promote.
            expected: Champion the caller compared it with.
            by: Who promotes.
            reason: Why.
            at: When.
            mirror: Whether MLflow's alias follows at once.

        Raises:
            NotFoundError: there is no such version.
            BundleError: its artifact is damaged, or is none that can be loaded.
            PromotionConflictError: another promotion came first.
        """
        known = self._ledger.version(model, version)
        from models.bundle import load_bundle

        # Sealed is not yet sound: what was registered damaged is found out here, and in no server.
        load_bundle(self.fetch(model, version), expected=known.manifest_sha256)
        champion = Champion(model, version, known.source, known.manifest_sha256, at, by, reason)
        self._ledger.promote(champion, expected=expected)
        if mirror:
            self._mirror_quietly(model)
        return champion

    def mirror(self, model: str) -> None:
        """Point MLflow's alias at the champion; ours is the truth, the alias a courtesy."""
        client = self._client()
        mirrored: int | None = None
        while (now := self.champion(model)) is not None and now.version != mirrored:
            client.set_registered_model_alias(model, CHAMPION, str(now.version))
            mirrored = now.version

    def fetch(self, model: str, version: int) -> Path:
        """Folder of a verified local copy, `bundles/<model>/<version>`.

        Raises:
            NotFoundError: there is no such version.
            BundleError: the stored artifact is not the one registered.
        """
        known = self._ledger.version(model, version)
        target = self.settings.root / "bundles" / model / str(version)
        if _sound(target, known.manifest_sha256):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=target.parent) as scratch:
            copy = Path(scratch) / "copy"
            self._copy(known, copy)
            manifest.verify(copy, expected=known.manifest_sha256)
            if target.exists():
                target.rename(Path(scratch) / "damaged")
            try:
                copy.rename(target)
            except OSError:
                # Another process was quicker; its copy must be as good as ours.
                manifest.verify(target, expected=known.manifest_sha256)
        return target

    def _copy(self, known: Version, target: Path) -> None:
        parsed = urlparse(known.source)
        if parsed.scheme in ("", "file"):
            folder = self.settings.root / unquote(parsed.path)
            if not folder.is_dir():
                raise BundleError(
                    f"The artifact of {known.model} version {known.version} is gone from {known.source}.",
                    next_step="Restore the artifact store, or train anew.",
                    pointer=known.source,
                )
            shutil.copytree(folder, target)
            return
        self._client()
        from mlflow.artifacts import download_artifacts

        shutil.copytree(download_artifacts(known.source, tracking_uri=self.settings.tracking_uri), target)

    def _mirror_quietly(self, model: str) -> None:
        try:
            self.mirror(model)
        except Exception as error:
            log.warning("MLflow's alias of %s was not moved (%s); the champion stands.", model, error)

    def _portable(self, source: str) -> str:
        """A path relative to the workspace where it lies inside, so that the workspace can be moved."""
        parsed = urlparse(source)
        if parsed.scheme not in ("", "file"):
            return source
        path = Path(unquote(parsed.path)).resolve()
        root = self.settings.root.resolve()
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)

    def _run(self, client: Any) -> str:
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = (
            found.experiment_id
            if found
            else client.create_experiment(EXPERIMENT, f"{self.settings.artifact_uri}/{EXPERIMENT}")
        )
        run = client.create_run(experiment)
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _client(self) -> Any:
        (self.settings.root / "mlflow").mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        uri = self.settings.tracking_uri
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _sound(folder: Path, identity: str) -> bool:
    try:
        manifest.verify(folder, expected=identity)
    except (BundleError, OSError):
        return False
    return True
