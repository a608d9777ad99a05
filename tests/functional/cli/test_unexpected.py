"""When something breaks that nobody foresaw: a short apology, the traceback in a file, exit code 1."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from data.errors import DataError
from partnerintel.failing import DEBUG, guarded, is_disk_full
from tests.functional.cli.conftest import run, run_apart
from tests.functional.cli.test_bad_input import workspace


def broken(root: Path) -> Path:
    """A workspace whose lake was replaced by a file: nothing anyone does on purpose."""
    workspace(root)
    (root / "lake").write_text("not a folder")
    return root


def test_the_traceback_goes_to_a_file_and_not_to_the_terminal(tmp_path: Path) -> None:
    told = run("ingest", "-w", broken(tmp_path), code=1).stderr
    assert "Sorry, this should not have happened" in told
    (written,) = (tmp_path / "errors").iterdir()
    assert str(written) in told
    assert "Traceback (most recent call last)" in written.read_text()


def test_debug_shows_the_traceback_instead(tmp_path: Path) -> None:
    done = run_apart("--debug", "ingest", "-w", broken(tmp_path))
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert not (tmp_path / "errors").exists()


def test_our_own_errors_are_readable_as_users_run_it(tmp_path: Path) -> None:
    done = run_apart("ingest", "-w", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("database or disk is full")]
)
def test_a_full_disk_is_named_even_when_a_library_wrapped_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    @guarded
    def command(workspace: Path) -> None:
        raise ValueError("could not write") from error

    with pytest.raises(typer.Exit) as ended:
        command(workspace=tmp_path)
    assert ended.value.exit_code == 1
    assert "The disk is full" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "told"), [(4096, True), (10**10, False)])
def test_an_input_output_error_is_a_full_disk_only_where_no_room_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert is_disk_full(RuntimeError("(sqlite3.OperationalError) disk I/O error"), tmp_path) is told


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError(), RecursionError("x")])
def test_whatever_is_raised_ends_in_exit_code_1(tmp_path: Path, error: Exception) -> None:
    @guarded
    def command(workspace: Path) -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command(workspace=tmp_path)
    assert ended.value.exit_code == 1
    (written,) = (tmp_path / "errors").iterdir()
    assert type(error).__name__ in written.read_text()


def test_a_traceback_that_cannot_be_kept_in_the_workspace_is_kept_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "errors").write_text("in the way")

    @guarded
    def command(workspace: Path) -> None:
        raise ValueError("x")

    with pytest.raises(typer.Exit):
        command(workspace=tmp_path)
    told = capsys.readouterr().err
    written = Path(told.split("The full traceback is in ")[1].split(".txt")[0] + ".txt")
    assert "ValueError" in written.read_text()
    written.unlink()


def test_debug_keeps_the_exit_code_of_our_errors(capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def command() -> None:
        raise DataError("bad", allowed="good")

    token = DEBUG.set(True)
    try:
        with pytest.raises(typer.Exit) as ended:
            command()
    finally:
        DEBUG.reset(token)
    assert ended.value.exit_code == 3
    assert "Traceback" in capsys.readouterr().err
