"""A recruiter's list: every row in its place, ranked, overruled, given back, judged later."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest

from data.spreadsheet import read_table
from serving.auth import Identity
from tests.unit.fit.nasty import (
    DOUBLES,
    FAULTS,
    FORMULA,
    GOOD,
    HEADERS,
    MAPPING,
    PARTNERS,
    keep_partners,
    nasty_file,
)
from tests.unit.fit.served import open_fit_world

ADMIN = Identity("k", "admin-owner", "admin")
COUNTS = {
    "rows": 1_200, "ranked": GOOD, "faults": FAULTS, "duplicates": DOUBLES, "existing_partners": PARTNERS,
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, bundle: Any) -> Any:
    world = open_fit_world(tmp_path_factory.mktemp("lists"), bundle)
    keep_partners(world.workspace)
    return world


def upload(
    served: Any, content: bytes, name: str = "liste.csv", *, role: str = "recruiter", **fields: Any
) -> Any:
    return served.call("POST", "/v1/fit/lists", role=role, files={"file": (name, content)}, data=fields)


@pytest.fixture(scope="module")
def nasty() -> Any:
    return nasty_file()


@pytest.fixture(scope="module")
def draft(served: Any, nasty: Any) -> Any:
    answer = upload(served, nasty.content, name="Prospects März.csv")
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def scored(served: Any, draft: Any) -> Any:
    answer = served.call(
        "POST", f"/v1/fit/lists/{draft['list_id']}/confirm", role="recruiter", json={"mapping": MAPPING}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def page(served: Any, list_id: str, **query: Any) -> Any:
    return served.call("GET", f"/v1/fit/lists/{list_id}", role="recruiter", params=query).json()


def every_row(served: Any, list_id: str, **query: Any) -> list[dict[str, Any]]:
    rows, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        found = page(served, list_id, limit=500, **query, **more)
        rows += found["rows"]
        cursor = found["next_cursor"]
        if cursor is None:
            return rows


def test_the_mapping_is_proposed_from_headers_in_another_language(draft: Any) -> None:
    assert draft["state"] == "draft"
    found = {p["field"]: p["column"] for p in draft["dry_run"]["proposal"] if p["field"]}
    wrong = {f: c for f, c in MAPPING.items() if found.get(f) != c}
    assert wrong == {}


def test_the_dry_run_counts_exactly_and_lists_every_fault_with_field_and_reason(
    draft: Any, nasty: Any
) -> None:
    assert draft["counts"] == COUNTS
    faults = draft["dry_run"]["faults"]
    assert {f["line"] for f in faults} == {line for line, kind in nasty.lines.items() if kind == "fault"}
    assert all(f["reason"] for f in faults)
    reasons = " ".join(f["reason"] for f in faults)
    for words in (
        "is not a country",
        "is not a number",
        "is below 0",
        "is not a web domain",
        "is below 1500",
        "not a whole number",
        "neither a name nor a domain",
        "cells",
        "another company",
    ):
        assert words in reasons, words


def test_duplicates_and_partners_are_told_with_evidence(draft: Any, nasty: Any) -> None:
    kinds = nasty.lines
    doubles = draft["dry_run"]["duplicates"]
    assert {d["line"] for d in doubles} == {n for n, k in kinds.items() if k == "duplicate"}
    assert all(kinds[d["of_line"]] == "ranked" and d["evidence"] and d["probability"] >= 0.8 for d in doubles)
    known = draft["dry_run"]["existing_partners"]
    assert {k["line"] for k in known} == {n for n, kind in kinds.items() if kind == "existing_partner"}
    assert {k["partner_id"] for k in known} == {f"A{i}" for i in range(PARTNERS)}
    assert all(k["evidence"] for k in known)


def test_every_row_of_the_file_ends_in_exactly_one_place(served: Any, scored: Any, nasty: Any) -> None:
    assert scored["state"] == "ready"
    assert scored["counts"] == COUNTS
    rows = every_row(served, scored["list_id"], sort="line")
    assert {r["line"]: r["status"] for r in rows} == nasty.lines
    ranks = sorted(r["rank"] for r in rows if r["status"] == "ranked")
    assert ranks == list(range(1, GOOD + 1))


def test_the_list_says_which_model_ranked_it(scored: Any) -> None:
    assert scored["models"]["fit"]["version"] == "3"
    assert scored["scored_at"]


def test_rank_follows_the_probability_and_rows_carry_reasons(served: Any, scored: Any) -> None:
    rows = every_row(served, scored["list_id"], status="ranked")
    chances = [r["probability"] for r in rows]
    assert chances == sorted(chances, reverse=True)
    best = rows[0]
    assert best["reasons_for"]
    assert best["probability_low"] < best["probability"] < best["probability_high"]
    assert best["cells"][1].strip()
    assert best["verdict"] in ("accept", "review")


def test_pages_filter_search_and_sort(served: Any, scored: Any) -> None:
    list_id = scored["list_id"]
    assert page(served, list_id, status="fault", limit=5)["total"] == FAULTS
    named = [r["company"] for r in page(served, list_id, status="fault", limit=50)["rows"]]
    assert sum(map(bool, named)) > FAULTS / 2
    assert page(served, list_id, status="fault", search=max(named))["total"] >= 1
    assert page(served, list_id, country="ES")["total"] > 50
    worst = page(served, list_id, sort="-rank", status="ranked", limit=1)["rows"][0]
    assert worst["rank"] == GOOD
    name = worst["company"]
    found = page(served, list_id, search=name.upper(), limit=500)["rows"]
    assert worst["line"] in {r["line"] for r in found}
    assert page(served, list_id, search="100%")["total"] == 0
    assert page(served, list_id, sort="nonsense")["status"] == 422


@pytest.mark.parametrize("fmt", ["csv", "xlsx", "parquet"])
def test_an_export_keeps_the_original_columns_and_nothing_in_it_runs(
    served: Any, scored: Any, nasty: Any, fmt: str
) -> None:
    answer = served.call(
        "GET", f"/v1/fit/lists/{scored['list_id']}/export", role="recruiter", params={"format": fmt}
    )
    assert answer.status_code == 200
    content = answer.content
    if fmt == "parquet":
        frame = pd.read_parquet(io.BytesIO(content))
    else:
        frame = read_table(content, f"list.{fmt}").frame()
    assert list(frame.columns[: len(HEADERS)]) == list(HEADERS)
    assert len(frame) == 1_200
    if fmt == "csv":
        text = content.decode("utf-8-sig")
        assert FORMULA not in text.replace("'=", "")
        assert "\"'=HYPERLINK" in text
    by_line = {int(row["pi_line"]): row for _, row in frame.iterrows()}
    for line, given in zip(nasty.lines, nasty.rows, strict=True):
        shown = [by_line[line][c] for c in HEADERS]
        cells = [c or None for c in (*given, *[""] * 12)[:12]]
        assert [None if v is None or v != v else v for v in shown] == cells


def test_bad_rows_can_be_downloaded_alone(served: Any, scored: Any) -> None:
    answer = served.call(
        "GET", f"/v1/fit/lists/{scored['list_id']}/export", role="recruiter", params={"rows": "fault"}
    )
    frame = read_table(answer.content, "faults.csv").frame()
    assert len(frame) == FAULTS
    assert frame["pi_fault_reason"].notna().all()


def test_the_order_of_the_file_changes_no_score(served: Any, scored: Any) -> None:
    again = upload(served, nasty_file(seed=9).content, confirm="true", mapping=json.dumps(MAPPING)).json()
    assert again["counts"] == COUNTS
    key = ("rank", "prospect_id", "probability", "fit_score", "reasons_for", "probability_low", "verdict")
    first, second = (
        {r["prospect_id"]: [r[k] for k in key] for r in every_row(served, i, status="ranked")}
        for i in (scored["list_id"], again["list_id"])
    )
    assert first == second


def test_one_prospect_is_explained_in_full(served: Any, scored: Any) -> None:
    best = page(served, scored["list_id"], limit=1)["rows"][0]
    url = f"/v1/fit/lists/{scored['list_id']}/prospects/{best['prospect_id']}"
    found = served.call("GET", url, role="recruiter").json()
    assert found["same_model_as_ranked"]
    assert found["answer"]["fit_probability"]["value"] == best["probability"]
    assert [s["succeeded"] for s in found["answer"]["similar_partners"]] == [True, True, True, False]


def test_what_would_lift_a_prospect_really_crosses(served: Any, scored: Any) -> None:
    rows = every_row(served, scored["list_id"], status="ranked")
    crossed = 0
    for row in rows[200:1000:100]:
        url = f"/v1/fit/lists/{scored['list_id']}/prospects/{row['prospect_id']}/lift"
        found = served.call("GET", url, role="recruiter", params={"rank": 20}).json()
        assert found["probability_needed"] == rows[19]["probability"]
        for plan in found["plans"]:
            assert {c["field"] for c in plan["changes"]} <= {"motion", "partner_type"}
            assert plan["fit_probability"] > rows[19]["probability"]
            crossed += 1
    assert served.call("GET", url, role="recruiter", params={"rank": 99_999}).status_code == 422


def test_an_override_stands_beside_the_rank_until_it_is_withdrawn(served: Any, scored: Any) -> None:
    list_id = scored["list_id"]
    row = page(served, list_id, sort="-rank", status="ranked", limit=1)["rows"][0]
    body = {
        "prospect_id": row["prospect_id"], "value": "strategic", "reason": "key account in Málaga",
        "expires_at": "2027-06-30",
    }  # fmt: skip
    made = served.call("POST", f"/v1/fit/lists/{list_id}/overrides", role="recruiter", json=body)
    assert made.status_code == 201, made.text
    shown = page(served, list_id, sort="-rank", status="ranked", limit=1)["rows"][0]
    assert shown["rank"] == GOOD
    assert shown["override"]["value"] == "strategic"
    assert shown["override"]["model_value"]["rank"] == GOOD
    report = served.call("GET", f"/v1/fit/lists/{list_id}/report", role="recruiter").json()
    assert report["overrides"]["by_value"]["strategic"]["holding"] == 1
    url = f"/v1/fit/lists/{list_id}/overrides/{made.json()['override_id']}/withdraw"
    assert served.call("POST", url, role="recruiter").json()["withdrawn_at"]
    assert page(served, list_id, sort="-rank", status="ranked", limit=1)["rows"][0]["override"] is None
    for wrong in ({"reason": ""}, {"value": "because"}, {"expires_at": "2020-01-01"}, {"expires_at": "soon"},
                  {"prospect_id": "nobody"}):  # fmt: skip
        status = served.call(
            "POST", f"/v1/fit/lists/{list_id}/overrides", role="recruiter", json={**body, **wrong}
        ).status_code
        assert status in (404, 422)


def test_outcomes_posted_later_judge_the_list_as_scored_then(served: Any, scored: Any) -> None:
    import numpy as np

    list_id = scored["list_id"]
    rows = every_row(served, list_id, status="ranked")
    rng = np.random.default_rng(0)
    outcomes = [
        {"prospect_id": r["prospect_id"], "succeeded": bool(rng.random() < r["probability"])} for r in rows
    ]
    url = f"/v1/fit/lists/{list_id}/outcomes"
    body = {"outcomes": [*outcomes, {"prospect_id": "nobody", "succeeded": True}]}
    answer = served.call("POST", url, role="recruiter", json=body).json()
    assert answer == {"accepted": GOOD, "unknown": ["nobody"]}
    report = served.call("GET", f"/v1/fit/lists/{list_id}/report", role="recruiter").json()["outcomes"]
    assert report["count"] == GOOD
    assert report["model"]["auc"] > 0.55
    assert report["model"]["lift"]["top_10_pct"]["value"] > 1 == report["random"]["lift"]["top_10_pct"]
    assert report["scorecard"]["auc"] is not None
    low, high = report["calibration"]["interval"]
    assert low < 1.05
    assert high > 0.95
    groups = {(s["by"], s["group"]): s for s in report["slices"]}
    assert groups[("country", "DE")]["count"] >= 30
    assert all(s["count"] >= 30 and s["observed_interval"] for s in groups.values())


def test_another_recruiters_list_does_not_exist(served: Any, scored: Any) -> None:
    list_id = scored["list_id"]
    for path in ("", "/export", "/report"):
        assert served.call("GET", f"/v1/fit/lists/{list_id}{path}", role="prm").status_code == 404
        assert served.call("GET", f"/v1/fit/lists/{list_id}{path}", role="admin").status_code == 200
    assert served.call("GET", "/v1/fit/lists", role="prm").json()["lists"] == []
    assert served.call("GET", f"/v1/fit/lists/{list_id}", role="channel_manager").status_code == 403


def test_a_long_list_is_a_job(served: Any) -> None:
    lines = ["name,country,partner_type"] + [f"Company {i} x{i * 7919},DE,reseller" for i in range(2_100)]
    answer = upload(served, "\n".join(lines).encode(), confirm="true")
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["state"] == "scoring"
    # One thread works jobs off in turn; making the application beside it would race on Python's warnings.
    served.runtime.shared.jobs._pool.submit(lambda: None).result(timeout=60)
    job = served.call("GET", f"/v1/jobs/{body['job']}", role="recruiter").json()
    assert job["state"] == "done", job
    assert job["done"] == job["total"]
    assert page(served, body["list_id"], limit=1)["list"]["state"] == "ready"
    assert served.call("GET", f"/v1/jobs/{body['job']}", role="prm").status_code == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"mapping": "{"}, "/mapping"),
        ({"mapping": '{"name": "Nope"}'}, "/mapping/name"),
        ({"mapping": '{"tier": "name"}'}, "/mapping/tier"),
        ({"mapping": '{"country": "country"}'}, "/mapping"),
        ({"separator": "x"}, "/separator"),
        ({"confirm": "maybe"}, "/confirm"),
        ({"surprise": "1"}, "/surprise"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_with_a_pointer(served: Any, fields: Any, pointer: str) -> None:
    answer = upload(served, b"name,country\nAcme,DE\n", **fields)
    assert answer.status_code == 422, answer.text
    assert pointer in {e["pointer"] for e in answer.json()["errors"]}


def test_only_the_upload_route_takes_forms_and_only_forms(served: Any) -> None:
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    assert served.call("POST", "/v1/fit/score", headers=boundary, content=b"--x--").status_code == 415
    assert served.call("POST", "/v1/fit/lists", json={"file": "x"}).status_code == 415
    for broken in (
        b"",
        b"--x",
        b"--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
        b"\xff" * 99,
    ):
        answer = served.call("POST", "/v1/fit/lists", headers=boundary, content=broken)
        assert 400 <= answer.status_code < 500, broken


def test_an_upload_is_capped_byte_by_byte(served: Any) -> None:
    most = served.runtime.shared.settings.max_upload_bytes
    assert upload(served, b"x" * (most + 1)).status_code == 413


def test_an_unreadable_file_is_refused_with_its_reason(served: Any) -> None:
    answer = upload(served, b"%PDF-1.7 nonsense", name="list.pdf")
    assert answer.status_code == 422
    assert "PDF" in answer.json()["detail"]


def test_uploads_and_exports_are_on_the_audit_log(served: Any, scored: Any) -> None:
    from sqlalchemy import select

    from serving.tables import AUDIT_LOG

    path = f"/v1/fit/lists/{scored['list_id']}/export"
    assert served.call("GET", path, role="recruiter", params={"format": "csv"}).status_code == 200
    with served.runtime.shared.database.read() as connection:
        query = select(AUDIT_LOG.c.action).where(AUDIT_LOG.c.object == scored["list_id"])
        actions = set(connection.execute(query).scalars())
    assert {"fit_list.upload", "fit_list.score", "fit_list.export"} <= actions


def test_a_list_that_cannot_be_put_on_record_is_not_kept(
    served: Any, nasty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list and its row of the audit log are one transaction."""
    store = served.runtime.use_cases.fit.lists.store
    before = {found["list_id"] for found in store.lists(identity=ADMIN, offset=0, limit=1_000)}

    def full(*_: object, **__: object) -> int:
        raise OSError("no room")

    monkeypatch.setattr("serving.fit.shapes.audit.append_within", full)
    assert upload(served, nasty.content).status_code >= 500
    assert {found["list_id"] for found in store.lists(identity=ADMIN, offset=0, limit=1_000)} == before
