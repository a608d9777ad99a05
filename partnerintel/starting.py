"""A new workspace: from nothing, or from a mapping somebody else keeps."""

from __future__ import annotations

import re
from pathlib import Path

from data.errors import ConfigError, InputError
from partnerintel.outputs import write_whole
from partnerintel.workspace import CONFIG_NAME

ROOT = re.compile(r"^root:[ \t]*(?P<value>[^#\n]*?)(?P<rest>[ \t]*(?:#.*)?)$", re.MULTILINE)


def new_workspace(directory: Path, *, like: Path | None) -> list[Path]:
    """Make a workspace; nothing that exists is overwritten.

    Args:
        directory: The new folder.
        like: A workspace or its partnerintel.yaml to take the mapping of, which is only read. The copy finds
            the same data: a relative `root:` is made absolute.

    Returns:
        The files written.

    Raises:
        ConfigError: There is a partnerintel.yaml already, or none to take.
        InputError: The folder cannot be made.
    """
    from data.template import write_template

    try:
        return write_template(directory) if like is None else [_copy(directory, like)]
    except OSError as error:
        raise InputError(
            f"Cannot make {directory}: {error.strerror}.", next_step="Name a folder that you can write."
        ) from error


def _copy(directory: Path, like: Path) -> Path:
    source = like / CONFIG_NAME if like.is_dir() else like
    target = directory / CONFIG_NAME
    if not source.is_file():
        raise ConfigError(
            f"There is no {CONFIG_NAME} in {like}.", allowed="a workspace, or its settings file"
        )
    if target.exists():
        raise ConfigError(f"{target} exists already.", next_step="Edit it, or choose another folder.")
    text = _rooted(source.read_text(encoding="utf-8"), folder=source.parent.resolve())
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda p: p.write_text(text, encoding="utf-8"))
    return target


def _rooted(text: str, *, folder: Path) -> str:
    """The settings with a root that means the same folder from anywhere; `${NAME}` stays as it is."""
    found = ROOT.search(text)
    if found is None:
        return f"root: {folder}\n" + text
    value = found["value"].strip()
    if value.startswith("/"):
        return text
    if value.startswith("${"):
        # ${NAME:-default}/below: only the default can be relative.
        value = re.sub(r":-(?!/)([^}]*)", lambda m: f":-{(folder / m[1]).resolve()}", value, count=1)
    else:
        value = str((folder / value.strip("\"'")).resolve())
    return text[: found.start()] + f"root: {value}{found['rest']}" + text[found.end() :]
