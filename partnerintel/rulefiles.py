"""Files of rules that somebody wrote: YAML or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.errors import InputError


def read_rules_file(path: Path) -> Any:
    """The content as plain values; {} for an empty file.

    Raises:
        InputError: It cannot be read.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"{path} cannot be read: {type(error).__name__}.", allowed="a YAML or JSON file of rules"
        ) from None
    return {} if found is None else found
