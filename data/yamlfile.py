"""Reading partnerintel.yaml: plain scalars, environment references, one value for each key.

YAML 1.1 turns the country `NO` into False and the identifier `00123` into 83. Here only true/false are
booleans, only numbers without leading zeros are numbers, and dates stay text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from data.errors import ConfigError

_REFERENCE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_RESOLVERS = (
    ("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$",
        "-+0123456789.",
    ),
    ("tag:yaml.org,2002:merge", r"<<$", "<"),
)


class _PlainLoader(yaml.SafeLoader):
    """A safe loader that guesses no more than JSON would."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own shape of this table

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen and key != "<<":
                raise ConfigError(
                    f"The key {key!r} appears twice, the second time on line {key_node.start_mark.line + 1}.",
                    allowed="each key once",
                    next_step="Keep one of them.",
                    pointer=str(key),
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in _RESOLVERS:
    _PlainLoader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def expand(value: Any, *, environ: Mapping[str, str], at: str = "") -> Any:
    """Replace `${NAME}` and `${NAME:-default}` in every text of a parsed document; `$${` writes `${`.

    Args:
        value: Parsed YAML.
        environ: Where names are looked up.
        at: YAML path of `value`, for errors.

    Returns:
        The same structure with references replaced.

    Raises:
        ConfigError: A name is not set and has no default.
    """
    if isinstance(value, dict):
        return {k: expand(v, environ=environ, at=f"{at}.{k}" if at else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [expand(v, environ=environ, at=f"{at}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match.group(0)[1:]
        found = environ.get(name) or default
        if found is None:
            raise ConfigError(
                f"{at} uses the environment variable {name}, which is not set.",
                next_step=f"Set {name}, or write ${{{name}:-default}}.",
                pointer=at,
            )
        return found

    return _REFERENCE.sub(replace, value)


def read_yaml(path: Path, *, environ: Mapping[str, str]) -> dict[str, Any]:
    """Read one YAML file and expand its environment references.

    Args:
        path: The file.
        environ: Where `${NAME}` is looked up.

    Returns:
        The document; `{}` when it holds nothing.

    Raises:
        ConfigError: No such file, not UTF-8, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {path.name} in {path.parent}.",
            next_step=f"`partnerintel init {path.parent}` writes a commented one.",
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", allowed="a UTF-8 text file") from error
    try:
        document = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader with fewer guesses
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds a {type(document).__name__}.", allowed="a mapping of sections")
    expanded: dict[str, Any] = expand(document, environ=environ)
    return expanded
