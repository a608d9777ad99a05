"""The seal of an artifact folder: sha256 of every file, and of itself as its identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.errors import BundleError

NAME = "manifest.json"
FORMAT = 1
MAX_BYTES = 256 << 20


def render(value: Any) -> bytes:
    """Canonical JSON: sorted keys, floats as Python writes them, no NaN."""
    return (json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=True, indent=1) + "\n").encode()


def seal(folder: Path, files: Mapping[str, bytes], *, model: str) -> str:
    """Write files and their manifest, the manifest last; the identity is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in sorted(files.items()):
        _write(folder / name, content)
    listed = {name: {"sha256": _sha256(content), "bytes": len(content)} for name, content in files.items()}
    body = {"format": FORMAT, "model": model, "files": listed}
    identity = _sha256(render(body))
    _write(folder / NAME, render({**body, "identity": identity}))
    return identity


def verify(folder: Path, *, expected: str | None = None) -> tuple[str, dict[str, bytes]]:
    """Identity and files of a sealed folder, checked byte by byte.

    Args:
        folder: What `seal` wrote.
        expected: Identity it must have, as the registry recorded it; None: any.

    Raises:
        BundleError: naming the file that is missing, foreign or changed.
    """
    manifest = _manifest(folder)
    body = {k: v for k, v in manifest.items() if k != "identity"}
    identity = _sha256(render(body))
    if manifest.get("identity") != identity or (folder / NAME).read_bytes() != render(manifest):
        raise _refusal(folder, NAME, "was changed after it was sealed")
    if expected is not None and identity != expected:
        raise _refusal(folder, NAME, f"is {identity[:12]}…, not the {expected[:12]}… on record")
    strangers = {p.name for p in folder.iterdir()} - set(body["files"]) - {NAME}
    if strangers:
        raise _refusal(folder, sorted(strangers)[0], "is not in the manifest")
    return identity, {name: _checked(folder, name, known) for name, known in body["files"].items()}


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        raise _refusal(folder, NAME, "is missing") from None
    except (ValueError, OSError):
        raise _refusal(folder, NAME, "cannot be read") from None
    shape = isinstance(manifest, dict) and set(manifest) == {"format", "model", "files", "identity"}
    if not shape or manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
        raise _refusal(folder, NAME, f"is not a manifest of format {FORMAT}")
    return manifest


def _checked(folder: Path, name: str, known: Any) -> bytes:
    path = folder / name
    if Path(name).name != name or not isinstance(known, dict) or set(known) != {"sha256", "bytes"}:
        raise _refusal(folder, NAME, f"lists {name!r} wrongly")
    if not path.is_file() or path.is_symlink():
        raise _refusal(folder, name, "is missing")
    if path.stat().st_size != known["bytes"] or path.stat().st_size > MAX_BYTES:
        raise _refusal(folder, name, f"has {path.stat().st_size} bytes, not {known['bytes']}")
    content = path.read_bytes()
    if _sha256(content) != known["sha256"]:
        raise _refusal(folder, name, "was changed after it was sealed")
    return content


def _refusal(folder: Path, name: str, why: str) -> BundleError:
    return BundleError(
        f"Model artifact {folder.name}: {name} {why}.",
        allowed="artifacts as `train` wrote them",
        next_step="Fetch the version again from the registry, or train anew.",
        pointer=name,
    )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
