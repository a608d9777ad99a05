"""Everything one worker of the service is made of, composed from a workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.mapping import CONFIG_NAME, parse_settings, read_config
from serving import audit
from serving.auth import Identity, Keyring
from serving.champions import Champions
from serving.console.door import ConsoleDoor
from serving.console.rooms import Cases, Console, open_console
from serving.decisions import DecisionLog
from serving.fit.capability import open_fit
from serving.guard import Gatekeeping
from serving.health.opening import open_health
from serving.jobs import Jobs
from serving.limiter import DenialLimiter
from serving.live import LiveFeatures, LiveRegistry
from serving.logs import EventLog
from serving.metrics import Metrics
from serving.overrides import Overrides
from serving.partners import NOTE, LivePartners, Shelter
from serving.policies import Policies
from serving.readiness import draining, health
from serving.replay import Replay
from serving.resident import Resident
from serving.routes import Route, RouteTable
from serving.routing.opening import open_routing
from serving.scoring import Scoring
from serving.settings import ServingSettings
from serving.shared import Edges, Shared, real_edges
from serving.shelf import Shelf
from serving.state import Database
from serving.tiers.opening import open_tiers
from serving.view import View

SEED = Path(__file__).resolve().parents[1] / "seed"


@dataclass(frozen=True)
class Runtime:
    """A running worker.

    Attributes:
        shared: What every capability is made from.
        resident: Models and features in memory.
        champions: Where versions of models come from.
        keep: What the guard needs.
        use_cases: What the application calls.
    """

    shared: Shared
    resident: Resident
    champions: Champions
    keep: Gatekeeping
    use_cases: Cases

    def start(self) -> None:
        """Load models and features, then keep them current."""
        self.resident.start()
        self.use_cases.partner_health.start()
        self.use_cases.routing.start()

    def stop(self) -> None:
        """End the background work and give the connections back."""
        self.use_cases.partner_health.stop()
        self.use_cases.routing.stop()
        self.resident.stop()
        self.shared.jobs.stop()
        self.shared.database.close()


def open_runtime(
    workspace: Path, *, edges: Edges | None = None, log: EventLog | None = None, seed: Path = SEED
) -> Runtime:
    """Compose a worker.

    Args:
        workspace: A workspace, or an empty writable folder to serve what the bento carries.
        edges: Time and randomness; the machine's own unless given.
        log: Where events are written; standard error unless given.
        seed: The bento's seed folder; need not exist.

    Raises:
        ConfigError: The settings cannot be used.
    """
    edges = edges or real_edges()
    log = log or EventLog(clock=edges.clock)
    workspace = workspace.resolve()
    config = read_config(workspace) if (workspace / CONFIG_NAME).is_file() else {}
    settings = parse_settings(ServingSettings, config.get("serving") or {}, at="serving")
    database = Database(settings.database(workspace))
    database.migrate()
    metrics = Metrics()
    champions, partners = open_sources(workspace, edges=edges, config=config, seed=seed)
    resident = _resident(champions, partners, settings, edges=edges, log=log, metrics=metrics)
    shared = Shared(
        workspace=workspace,
        config=config,
        settings=settings,
        edges=edges,
        database=database,
        decisions=DecisionLog(database),
        policies=Policies(database),
        overrides=Overrides(database, random=edges.random),
        jobs=Jobs(database, clock=edges.clock, random=edges.random, log=log),
        view=resident.view,
        metrics=metrics,
        log=log,
    )
    keyring = Keyring(database, clock=edges.clock, ticks=edges.ticks)
    console = open_console(shared, verify=keyring.verify) if settings.console else None
    keep = _gatekeeping(shared, keyring, console)
    return Runtime(shared, resident, champions, keep, _use_cases(shared, resident, champions, console))


def _use_cases(shared: Shared, resident: Resident, champions: Champions, console: Console | None) -> Cases:
    settings, edges, metrics = shared.settings, shared.edges, shared.metrics
    scoring = Scoring(
        resident.view,
        decisions=shared.decisions,
        settings=settings,
        clock=edges.clock,
        random=edges.random,
        counted=lambda model, evidence: metrics.scores.labels(model, evidence).inc(),
    )
    is_draining = draining(shared.workspace, server_pid=edges.server_pid)

    def healthy() -> tuple[bool, dict[str, Any]]:
        return health(resident.view(), settings=settings, now=edges.clock(), draining=is_draining())

    fit, model_of = open_fit(shared), _version_of(resident, champions)
    tiers, routing = open_tiers(shared, model_of=model_of), open_routing(shared, model_of=model_of)
    makers = {"fit": fit.scoring.again(model_of), "tier": tiers.recommending.replay, **routing.makers}
    return Cases(
        scoring=scoring,
        replay=Replay(
            shared.decisions,
            model_of=model_of,
            makers=makers,
            details=routing.details,
            sees=lambda partner_id, identity: (
                identity.role == "channel_manager"
                and resident.view().sees(partner_id, manager_id=identity.manager_id or "")
            ),
        ),
        shelf=Shelf(resident.view, reports=shared.workspace / "reports"),
        health=healthy,
        metrics=metrics.page,
        fit=fit,
        tiers=tiers,
        routing=routing,
        console=console,
        partner_health=open_health(shared),
    )


def open_sources(
    workspace: Path, *, edges: Edges, config: dict[str, Any] | None = None, seed: Path = SEED
) -> tuple[Champions, LivePartners]:
    """Where models and features of a workspace come from."""
    workspace = workspace.resolve()
    if config is None:
        config = read_config(workspace) if (workspace / CONFIG_NAME).is_file() else {}
    home = workspace / "serving"
    seeded = seed if seed.is_dir() else None
    champions = Champions(
        LiveRegistry(workspace), home=home, workspace=workspace, seed=seeded, ticks=edges.ticks
    )
    partners = LivePartners(
        LiveFeatures(workspace, config, clock=edges.clock),
        shelter=Shelter(workspace / "matrix", home / NOTE),
        seed=Shelter(seeded / "matrix", seeded / NOTE) if seeded else None,
        clock=edges.clock,
    )
    return champions, partners


def _resident(
    champions: Champions,
    partners: LivePartners,
    settings: ServingSettings,
    *,
    edges: Edges,
    log: EventLog,
    metrics: Metrics,
) -> Resident:
    def measured(view: View) -> None:
        if view.partners is not None:
            newest = max(view.partners.as_of.values())
            metrics.feature_age.set((edges.clock() - newest).total_seconds())
            metrics.degraded.set(float(view.partners.degraded))

    return Resident(champions, partners, every_seconds=settings.refresh_seconds, log=log, swapped=measured)


def _version_of(resident: Resident, champions: Champions) -> Callable[[str, str, str], Any]:
    """A version of a model: the one in memory when it is that, else from the registry or the disk."""

    def find(model: str, version: str, manifest_sha256: str) -> Any:
        served = resident.view().models.get(model)
        if (
            served is not None
            and served.bundle.manifest_sha256 == manifest_sha256
            and served.version == version
        ):
            return served
        return champions.version(model, version, manifest_sha256)

    return find


def _gatekeeping(shared: Shared, keyring: Keyring, console: Console | None) -> Gatekeeping:
    settings, database, edges = shared.settings, shared.database, shared.edges

    def denied(identity: Identity | None, route: Route, status: int) -> None:
        actor = f"{identity.owner} ({identity.key_id})" if identity else "nobody"
        what = f"{route.method} {route.path}"
        audit.append(
            database, at=edges.clock(), actor=actor, action="denied", object=what, detail={"status": status}
        )

    return Gatekeeping(
        settings=settings,
        table=RouteTable(docs=settings.docs, console=console is not None),
        verify=keyring.verify,
        verify_blocks=keyring.blocks,
        denied=denied,
        limiter=DenialLimiter(settings.denials_per_minute, clock=edges.ticks),
        metrics=shared.metrics,
        log=shared.log,
        new_request_id=lambda: edges.random(8).hex(),
        door=ConsoleDoor(console.sessions) if console else None,
    )
