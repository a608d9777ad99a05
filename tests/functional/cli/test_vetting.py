"""The vetting policy by command: compared on ranked lists, put in force for the service, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.cli.conftest import run
from tests.unit.fit.served import open_fit_world
from tests.unit.fit.test_long_lists import long_file
from tests.unit.fit.worlds import dataset_of, world_of
from training.estimators import fit
from training.splits import final_split


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service with one ranked list, in a workspace."""
    data = dataset_of(world_of(300))
    served = open_fit_world(tmp_path_factory.mktemp("vetting"), fit(data, final_split(data), seed=1))
    (served.workspace / "partnerintel.yaml").write_text("config_version: 1\n")
    sent = {"files": {"file": ("l.csv", long_file(60))}, "data": {"confirm": "true"}}
    assert served.call("POST", "/v1/fit/lists", role="recruiter", **sent).json()["state"] == "ready"
    yield served
    served.runtime.stop()


def verdict(desk: Any) -> str:
    one = {"prospect_id": "P", "country": "DE", "partner_type": "reseller", "employee_count": 50}
    answer = desk.call("POST", "/v1/fit/score", role="recruiter", json={"prospects": [one]}).json()
    return str(answer["results"][0]["vetting"]["verdict"])


def test_a_policy_is_compared_put_in_force_and_taken_back(desk: Any) -> None:
    root = desk.workspace
    strict, mild = root / "strict.yaml", root / "mild.yaml"
    strict.write_text("countries: [FR]\n")
    mild.write_text("accept: 0\ndecline: 0\nrequired: []\n")
    assert "`fit.vetting` of partnerintel.yaml" in run("vetting", "show", "-w", root).stderr
    assert "ever put in force" in run("vetting", "history", "-w", root).stdout
    run("vetting", "rollback", "--reason", "none", "-w", root, code=5)

    told = run("vetting", "check", strict, "-w", root).stdout
    found = re.search(r"of (\d+) ranked prospects (\d+) get another verdict", told)
    assert found
    ranked, moved = int(found[1]), int(found[2])
    assert 0 < moved < ranked
    assert "→ decline. Country is" in told
    assert f"… and {moved - 10} more" in told
    assert "put in force" in run("vetting", "history", "-w", root).stdout

    before = verdict(desk)
    put = run("vetting", "put", strict, "--reason", "France only", "--by", "Ada", "-w", root).stdout
    assert "vetting policy 1 is in force" in put
    assert (before != "decline", verdict(desk)) == (True, "decline")
    assert "0 get another verdict" in run("vetting", "check", strict, "-w", root).stdout
    run("vetting", "put", mild, "--reason", "try", "-w", root)
    assert "vetting policy 1 is in force" in run("vetting", "rollback", "--reason", "no", "-w", root).stdout
    assert verdict(desk) == "decline"
    history = run("vetting", "history", "-w", root).stdout
    assert history.index("no") < history.index("France only")
    assert "Ada" in history


def test_rules_that_cannot_be_used_are_refused_by_place(desk: Any) -> None:
    wrong = desk.workspace / "wrong.yaml"
    for text, place in (("accept: 20\ndecline: 40\n", "above accept"), ("acept: 3\n", "acept")):
        wrong.write_text(text)
        said = run("vetting", "put", wrong, "--reason", "x", "-w", desk.workspace, code=4).stderr
        assert place in said
        assert "wrong.yaml" in said
