"""Writes docs/reference/cli.md from the commands: `python docs/cli_reference.py`; `make docs` does it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from partnerintel.cli import EXIT_CODES, app

PAGE = Path(__file__).parent / "reference" / "cli.md"
KINDS = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}
HEAD = """\
# The command line

Written from the commands themselves by `python docs/cli_reference.py` (`make docs` runs it); a test compares
the two. `partnerintel COMMAND --help` says the same.

Progress and warnings go to standard error, results to standard output. A file is written whole or not at all.

## Options before the command

"""


def rendered() -> str:
    """The page."""
    root = get_command(app)
    parts = [HEAD, *_table(root.params), "\n## Exit codes\n\n| code | meaning |\n|--:|---|\n"]
    parts += [f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items()]
    for path, command in sorted(_commands(root, ())):
        parts += [f"\n## partnerintel {' '.join(path)}\n\n", _text(command.help), "\n"]
        arguments = " ".join(_placeholder(p) for p in command.params if _is_argument(p))
        parts += [f"\n```text\npartnerintel {' '.join(path)} [OPTIONS] {arguments}".rstrip(), "\n```\n\n"]
        parts += _table(command.params)
    return "".join(parts)


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _table(parameters: Any) -> list[str]:
    rows = [f"| {_name(p)} | {_default(p)} | {_meaning(p)} |\n" for p in parameters if p.name != "help"]
    return ["| argument or option | default | meaning |\n|---|---|---|\n", *rows]


def _meaning(parameter: Any) -> str:
    given = f" Or set `{parameter.envvar}`." if parameter.envvar else ""
    return _text(parameter.help) + given


def _name(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{_placeholder(parameter)}`"
    names = [*parameter.opts, *parameter.secondary_opts]
    kind = "" if parameter.is_flag else f" {_kind(parameter)}"
    return ", ".join(f"`{name}{kind}`" for name in names)


def _kind(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    return str(parameter.metavar or KINDS.get(annotation, "VALUE"))


def _placeholder(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or callable(value) or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return (
            f"`{(parameter.opts if value else parameter.secondary_opts)[0]}`"
            if parameter.secondary_opts
            else ""
        )
    return f"`{value}`"


def _is_argument(parameter: Any) -> bool:
    return parameter.param_type_name == "argument"


def _text(words: str | None) -> str:
    return " ".join((words or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
