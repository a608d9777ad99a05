"""The edge of every command: an error becomes one readable message and an exit code, never a traceback."""

from __future__ import annotations

import errno
import functools
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

import typer

from data.errors import PartnerIntelError, PromotionRefusedError

P = ParamSpec("P")
FOLDER = "errors"
FULL_WORDS = ("No space left on device", "database or disk is full")
IO_WORDS = "disk I/O error"
HARDLY_ANY_BYTES = 16 * 1024 * 1024
DISK_FULL = "The disk is full (No space left on device). Free some space and run the command again."
DEBUG: ContextVar[bool] = ContextVar("debug", default=False)
"""Whether tracebacks are shown; set by `--debug`."""


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """The command, ending in an exit code of `data.errors` instead of an exception."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except PartnerIntelError as error:
            if DEBUG.get():
                traceback.print_exc()
            _say(error)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if is_disk_full(error, kwargs.get("workspace")) and not DEBUG.get():
                typer.secho(f"{DISK_FULL} Nothing half-written is used.", fg="red", err=True)
                raise typer.Exit(1) from None
            _apologise(error, command=command.__name__, workspace=kwargs.get("workspace"))
            raise typer.Exit(1) from None

    return run


def is_disk_full(error: BaseException, workspace: object = None) -> bool:
    """Whether the disk ran full, whichever library noticed: each has words of its own for it.

    SQLite calls a full disk an I/O error when its shared index cannot grow; it is taken for one where hardly
    any room is left.
    """
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(chain) for words in FULL_WORDS):
            return True
        if IO_WORDS in str(chain) and isinstance(workspace, Path) and workspace.is_dir():
            return shutil.disk_usage(workspace).free < HARDLY_ANY_BYTES
        chain = chain.__cause__ or chain.__context__
    return False


def _say(error: PartnerIntelError) -> None:
    typer.secho(str(error), fg="red", err=True)
    if isinstance(error, PromotionRefusedError):
        for code, message in error.refusals:
            typer.echo(f"  {code}  {message}", err=True)


def _apologise(error: Exception, *, command: str, workspace: object) -> None:
    """Say what happened in one line, and keep the traceback where a person can send it from."""
    if DEBUG.get():
        traceback.print_exc()
        return
    folder = workspace / FOLDER if isinstance(workspace, Path) and workspace.is_dir() else None
    written = _write(folder, error, command) or _write(Path(tempfile.gettempdir()), error, command)
    where = (
        f"The full traceback is in {written}." if written else "Run it again with --debug for a traceback."
    )
    first = str(error).strip().splitlines()[:1]
    what = type(error).__name__ + (f": {first[0]}" if first else "")
    typer.secho(f"Sorry, this should not have happened: {what}", fg="red", err=True)
    typer.echo(f"{where} Nothing half-written is used; it is safe to run the command again.", err=True)


def _write(folder: Path | None, error: Exception, command: str) -> Path | None:
    """Write the traceback; None when that fails too, as on a full disk."""
    if folder is None:
        return None
    now = datetime.now(UTC)
    path = folder / f"partnerintel-{command}-{now:%Y%m%dT%H%M%S%f}.txt"
    lines = [f"partnerintel {' '.join(sys.argv[1:])}\n\n", *traceback.format_exception(error)]
    try:
        folder.mkdir(exist_ok=True)
        path.write_text("".join(lines), encoding="utf-8")
    except OSError:
        return None
    return path
