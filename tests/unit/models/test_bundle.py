"""Artifacts: what is saved is what is served, and nothing damaged is ever loaded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import BundleError, InputError
from models import manifest
from models.bundle import Bundle, load_bundle, save_bundle, verify_bundles
from tests.unit.models.conftest import make_bundle, make_frame


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_loaded_bundle_gives_the_same_bits(bundle: Bundle, loaded: Bundle, rows: Any) -> None:
    matrix = bundle.encode(rows)
    np.testing.assert_array_equal(loaded.encode(rows), matrix)
    before, after = bundle.score(matrix), loaded.score(matrix)
    for horizon in (30, 90, 180):
        np.testing.assert_array_equal(before.probability[horizon], after.probability[horizon])
        np.testing.assert_array_equal(before.high[horizon], after.high[horizon])
    np.testing.assert_array_equal(bundle.explain(matrix).contributions, loaded.explain(matrix).contributions)
    assert before.evidence == after.evidence
    assert loaded.manifest_sha256


def test_saving_a_loaded_bundle_gives_the_same_bytes(artifact: Path, loaded: Bundle, tmp_path: Path) -> None:
    save_bundle(loaded, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(artifact)


def test_same_data_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    small = {"count": 120, "seed": 4, "refits": 2}
    for name in ("a", "b"):
        save_bundle(make_bundle(**small), tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    save_bundle(make_bundle(**{**small, "seed": 5}), tmp_path / "c")
    assert contents(tmp_path / "c") != contents(tmp_path / "a")


def test_artifact_holds_text_and_json_only(artifact: Path) -> None:
    assert set(contents(artifact)) == {
        "bundle.json",
        "golden.json",
        "manifest.json",
        "model.txt",
        "spread.txt",
    }
    for content in contents(artifact).values():
        content.decode("utf-8")


@pytest.mark.parametrize("size", [1, 2, 7, 49])
def test_a_row_scores_the_same_alone_and_in_company(bundle: Bundle, rows: Any, size: int) -> None:
    whole = bundle.encode(rows)
    part = bundle.encode(rows.iloc[:size])
    for horizon in (30, 180):
        together, alone = bundle.score(whole), bundle.score(part)
        np.testing.assert_array_equal(alone.probability[horizon], together.probability[horizon][:size])
        np.testing.assert_array_equal(alone.low[horizon], together.low[horizon][:size])
    np.testing.assert_array_equal(
        bundle.explain(part).contributions, bundle.explain(whole).contributions[:size]
    )


def test_golden_rows_include_one_where_nothing_is_known(bundle: Bundle) -> None:
    assert bundle.encoder.missing(bundle.examples)[-1].all()


def test_horizon_the_model_was_not_fitted_for_is_refused(bundle: Bundle, rows: Any) -> None:
    with pytest.raises(InputError, match="does not answer for 60 days"):
        bundle.score(bundle.encode(rows), horizons=[60])


def test_scorecard_bundle_without_labels_survives_saving(
    unlabelled: Bundle, rows: Any, tmp_path: Path
) -> None:
    save_bundle(unlabelled, tmp_path / "card")
    again = load_bundle(tmp_path / "card")
    np.testing.assert_array_equal(
        again.points(again.encode(rows)), unlabelled.points(unlabelled.encode(rows))
    )
    assert not again.labelled


def test_identity_on_record_must_match(artifact: Path) -> None:
    with pytest.raises(BundleError, match="on record"):
        load_bundle(artifact, expected="0" * 64)


# Damage: every way must be refused, naming a file, with this process alive.

FILES = ("bundle.json", "golden.json", "manifest.json", "model.txt", "spread.txt")


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(share * len(content))]


def _flip(share: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        place = int(share * (len(content) - 1))
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return flip


def _zero(share: float) -> Callable[[bytes], bytes]:
    def zero(content: bytes) -> bytes:
        place = int(share * len(content))
        return content[:place] + b"\0" * min(64, len(content) - place) + content[place + 64 :]

    return zero


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"cut at {s}": _cut(s) for s in (0.0, 0.1, 0.5, 0.9, 0.999)},
    **{f"flip at {s}": _flip(s) for s in (0.0, 0.2, 0.5, 0.8, 1.0)},
    **{f"zero at {s}": _zero(s) for s in (0.0, 0.4, 0.97)},
    "append": lambda content: content + b"\n",
}


def _copy(artifact: Path, target: Path) -> Path:
    shutil.copytree(artifact, target)
    return target


def test_every_damaged_file_is_refused_and_named(artifact: Path, tmp_path: Path) -> None:
    tried = 0
    for file in FILES:
        for name, damage in DAMAGES.items():
            folder = _copy(artifact, tmp_path / f"{file}-{name}".replace(" ", "-"))
            (folder / file).write_bytes(damage((folder / file).read_bytes()))
            with pytest.raises(BundleError) as refused:
                load_bundle(folder)
            assert refused.value.pointer in (file, "manifest.json"), name
            assert folder.name in str(refused.value)
            tried += 1
        folder = _copy(artifact, tmp_path / f"{file}-missing")
        (folder / file).unlink()
        with pytest.raises(BundleError, match="missing"):
            load_bundle(folder)
        tried += 1
    assert tried == 75


def test_file_that_does_not_belong_or_is_a_link_is_refused(artifact: Path, tmp_path: Path) -> None:
    stranger = _copy(artifact, tmp_path / "stranger")
    (stranger / "extra.pkl").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"extra\.pkl is not in the manifest"):
        load_bundle(stranger)
    linked = _copy(artifact, tmp_path / "linked")
    (linked / "model.txt").unlink()
    (linked / "model.txt").symlink_to(artifact / "model.txt")
    with pytest.raises(BundleError):
        load_bundle(linked)


def _resealed(artifact: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """An artifact changed by someone who also wrote a fitting manifest."""
    files = contents(artifact)
    del files["manifest.json"]
    change(files)
    manifest.seal(target, files, model="churn")
    return target


def _edit(key: str, value: Any) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        found = json.loads(files["bundle.json"])
        if value is None:
            del found[key]
        else:
            found[key] = value
        files["bundle.json"] = manifest.render(found)

    return change


def _damage(name: str, how: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files[name] = how(files[name])

    return change


def _swap(files: dict[str, bytes]) -> None:
    files["model.txt"], files["spread.txt"] = files["spread.txt"], files["model.txt"]


def _leaf(files: dict[str, bytes]) -> None:
    """One digit of one leaf: the text stays well-formed, the predictions do not."""
    text = files["model.txt"].decode()
    at = text.index(".", text.index("leaf_value=")) + 1
    files["model.txt"] = (text[:at] + str((int(text[at]) + 5) % 10) + text[at + 1 :]).encode()


RESEALED: dict[str, Callable[[dict[str, bytes]], None]] = {
    **{f"model cut at {s}": _damage("model.txt", _cut(s)) for s in (0.0, 0.02, 0.1, 0.3, 0.6, 0.9)},
    **{f"spread cut at {s}": _damage("spread.txt", _cut(s)) for s in (0.05, 0.5)},
    **{f"model zeroed at {s}": _damage("model.txt", _zero(s)) for s in (0.05, 0.3, 0.6)},
    "models swapped": _swap,
    "leaf values moved": _leaf,
    "golden emptied": _damage("golden.json", lambda c: b"{}"),
    "bundle emptied": _damage("bundle.json", lambda c: b"{}"),
    "bundle not JSON": _damage("bundle.json", _cut(0.5)),
    "format 2": _edit("format", 2),
    "no calibrator": _edit("calibrator", None),
    "strange link": _edit("link", "probit"),
    "strange kind": _edit("kind", "oracle"),
    "calibrator is text": _edit("calibrator", {"a": "x", "b": "y"}),
    "other horizons": _edit("horizons", {"30": 0.0}),
    "no terms": _edit("terms", {}),
    "unknown key": _edit("surprise", 1),
    "encoder without columns": _edit("encoder", {"columns": []}),
    "other calibrator": _edit("calibrator", {"a": 0.0, "b": 0.5}),
}


def test_resealed_damage_is_caught_in_a_child_or_by_golden_predictions(
    artifact: Path, tmp_path: Path
) -> None:
    folders = {
        _resealed(artifact, tmp_path / name.replace(" ", "-"), change): name
        for name, change in RESEALED.items()
    }
    parent = os.getpid()
    verdicts = verify_bundles(folders)
    assert {folders[f] for f, why in verdicts.items() if not why} == set()
    assert os.getpid() == parent
    said = {folders[f]: why for f, why in verdicts.items()}
    assert "no verdict" not in " ".join(said.values())
    assert sum("died of signal" in why for why in said.values()) >= 3, "the child was to die of some of them"
    assert "golden predictions" in said["leaf values moved"]
    assert "golden.json" in said["other calibrator"]
    assert "wrong schema" in said["strange link"]


def test_one_child_judges_many_and_the_sound_ones_pass(artifact: Path, tmp_path: Path) -> None:
    sound = [_copy(artifact, tmp_path / f"sound{i}") for i in range(3)]
    broken = _resealed(artifact, tmp_path / "broken", _damage("model.txt", _cut(0.4)))
    verdicts = verify_bundles([sound[0], broken, *sound[1:]])
    assert [bool(verdicts[f]) for f in (*sound, broken)] == [False, False, False, True]


def test_trial_that_does_not_end_is_a_refusal(artifact: Path, tmp_path: Path) -> None:
    slow = _resealed(artifact, tmp_path / "slow", _edit("trained", {"n": 1}))
    with pytest.raises(BundleError, match="did not end within 0 s"):
        load_bundle(slow, timeout_seconds=0.0)


def test_manifest_refuses_names_outside_the_folder(tmp_path: Path) -> None:
    body = {"format": 1, "model": "x", "files": {"../secret": {"sha256": "0" * 64, "bytes": 1}}}
    import hashlib

    identity = hashlib.sha256(manifest.render(body)).hexdigest()
    (tmp_path / "manifest.json").write_bytes(manifest.render({**body, "identity": identity}))
    with pytest.raises(BundleError, match=r"lists '\.\./secret' wrongly"):
        manifest.verify(tmp_path)


def test_bundle_that_gives_nan_cannot_be_saved(bundle: Bundle, tmp_path: Path) -> None:
    broken = replace(bundle, horizons={30: float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_bundle(broken, tmp_path / "nan")


def test_more_rows_than_one_are_scored_at_once(bundle: Bundle) -> None:
    scores = bundle.score(bundle.encode(make_frame(1000, seed=2)), horizons=[90])
    assert list(scores.probability) == [90]
    assert scores.probability[90].shape == (1000,)
