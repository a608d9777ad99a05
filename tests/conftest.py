"""What every suite shares: the project's environment, and no silent skips where servers must be present."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

os.environ.update(
    TZ="UTC",
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    DO_NOT_TRACK="true",
    BENTOML_DO_NOT_TRACK="True",
    OMP_NUM_THREADS="1",
)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def datasets() -> Path:
    """Folder of the real data sets; the test is skipped, with the reason, where there is none."""
    given = os.environ.get("PARTNERINTEL_DATASETS")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip(f"no real data sets at {folder}; set PARTNERINTEL_DATASETS")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI a test that names a server fails instead of being skipped."""
    report = yield
    needs_server = any(item.get_closest_marker(m) for m in ("redis", "postgres"))
    if report.skipped and needs_server and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped under CI, where its server must be present: {report.longrepr}"
    return report
