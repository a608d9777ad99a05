"""Every command explains itself, at once."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from partnerintel.cli import EXIT_CODES, app
from tests.functional.cli.conftest import run, run_apart

HEAVY = (
    "lightgbm",
    "mlflow",
    "feast",
    "bentoml",
    "pandas",
    "numpy",
    "sklearn",
    "shap",
    "duckdb",
    "sqlalchemy",
)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_explains_each_parameter(path: tuple[str, ...]) -> None:
    shown = run(*path, "--help").output
    assert COMMANDS[path].help.splitlines()[0].split()[0] in shown
    for parameter in COMMANDS[path].params:
        if parameter.name != "help":
            assert parameter.help, f"{' '.join(path)}: {parameter.name} has no help"


def test_commands_of_the_contract_are_all_there() -> None:
    core = {"init", "ingest", "features", "train", "evaluate", "promote", "score", "explain", "replay"}
    wanted = core | {"serve", "run", "demo", "build"}
    assert wanted <= {path[0] for path in COMMANDS}
    assert {p[1] for p in COMMANDS if p[0] == "keys"} == {"create", "list", "revoke"}


def test_every_command_takes_a_workspace() -> None:
    for path, command in COMMANDS.items():
        if path != ("init",):
            assert "workspace" in {p.name for p in command.params}, path


def test_help_names_every_exit_code() -> None:
    shown = " ".join(run("--help").output.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in shown


def test_help_imports_no_heavy_library_and_takes_less_than_a_second_of_cpu() -> None:
    probe = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        "from partnerintel.cli import main\n"
        "sys.argv = ['partnerintel', '--help']\n"
        "main()\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "HEAVY []" in done.stdout
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 1.0


def test_version_is_printed() -> None:
    assert run_apart("--version").stdout.strip().count(".") == 2


def test_unknown_options_are_refused_with_code_2() -> None:
    assert "--partnrs" in run("demo", "--partnrs", "50", code=2).stderr
