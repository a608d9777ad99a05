"""Our own Prometheus metrics. Labels come from the route table, so no client can create a series."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "POST"})
# Kinds of metric below, as prometheus_client names their files.
_KINDS = ("counter", "histogram", "gauge_max")
_ROOM = 1 << 20
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Requests, scores, denials, and the state of what is served.

    With several workers BentoML sets a shared folder before prometheus_client is imported; the page then sums
    over workers.
    """

    def __init__(self) -> None:
        reserve()
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "partnerintel_requests_total",
            "Answers by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "partnerintel_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.scores = Counter(
            "partnerintel_scores_total",
            "Scores given, by model and evidence.",
            ("model", "evidence"),
            registry=self.registry,
        )
        self.degraded = Gauge(
            "partnerintel_degraded",
            "1 while the last-known features answer for a dead store.",
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.feature_age = Gauge(
            "partnerintel_feature_age_seconds",
            "Age of the newest features in memory.",
            registry=self.registry,
            multiprocess_mode="max",
        )

    def answered(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer. Callers pass route templates, never paths."""
        shown = method if method in METHODS else "other"
        self.requests.labels(route, shown, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """The metrics page."""
        if values.ValueClass is values.MutexValue:
            return bytes(generate_latest(self.registry))
        summed = CollectorRegistry()
        MultiProcessCollector(summed)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(summed))


def reserve() -> None:
    """Take the room of this worker's metrics files now.

    With several workers they are written through memory: a page that finds no room later, on a disk that has
    become full, ends the process with SIGBUS.

    Raises:
        OSError: There is no room now.
    """
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None or values.ValueClass is values.MutexValue:
        return
    for kind in _KINDS:
        with (Path(folder) / f"{kind}_{os.getpid()}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, _ROOM)
