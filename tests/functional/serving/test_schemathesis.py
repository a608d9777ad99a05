"""Schemathesis on our own OpenAPI document, all checks, fixed seed, against the served process."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.functional.serving.conftest import Served

SEED = 20261120
# What no schema can say: which bytes are a list of companies, which hosts are public, what is past, which
# cursors a page gave, which Idempotency-Key was used for another request, whether a lead was offered or
# accepted before. Random ones are refused with 422, as they should be.
UNDESCRIBABLE = "".join(
    f"""
[[operations]]
include-name = "{name}"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""
    for name in (
        "POST /v1/fit/lists",
        "POST /v1/webhooks",
        "POST /v1/partners/{partner_id}/override",
        "GET /v1/alerts",
        "GET /v1/alerts/as-of",
        "POST /v1/partners/{partner_id}/tier/override",
        "POST /v1/tiers/changes/{change_id}/approve",
        "POST /v1/tiers/changes/{change_id}/reject",
        "POST /v1/tiers/simulate",
        "POST /v1/leads/route",
        "POST /v1/leads/assign",
        "POST /v1/leads/{lead_id}/response",
        "POST /v1/leads/{lead_id}/outcome",
    )
)


def run(served: Served, *, examples: int) -> tuple[int, str]:
    """Exit code and report of one run."""
    made = served.call("GET", "/v1/partners/P0/churn").json()["churn_probability"]["30"]["decision_id"]
    config = served.workspace / "schemathesis.toml"
    config.write_text(f'[parameters]\npartner_id = "P0"\ndecision_id = "{made}"\n{UNDESCRIBABLE}')
    binary = [sys.executable, "-m", "schemathesis.cli"]
    command = [
        *binary, "run", f"{served.url}/openapi.json", "--seed", str(SEED), "--max-examples", str(examples),
        "--checks", "all", "--workers", "1", "--no-color", "--suppress-health-check", "all",
        "-H", f"Authorization: Bearer {served.keys['admin']}",
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=served.workspace, check=False, timeout=1500
    )
    return done.returncode, done.stdout + done.stderr


def generated(report: str) -> int:
    found = re.search(r"(\d+) generated", report)
    return int(found[1]) if found else 0


def test_a_few_hundred_generated_cases_find_nothing(served: Served) -> None:
    code, report = run(served, examples=15)
    assert code == 0, report[-6000:]
    assert generated(report) >= 200, report[-2000:]


@pytest.mark.slow
def test_two_thousand_generated_cases_find_nothing(served: Served) -> None:
    code, report = run(served, examples=200)
    assert code == 0, report[-6000:]
    assert generated(report) >= 2000, report[-2000:]


def test_the_document_is_json_of_the_declared_version(served: Served) -> None:
    document = json.loads(served.call("GET", "/openapi.json", role=None).text)
    assert document["openapi"].startswith("3.1")
