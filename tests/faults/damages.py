"""Ways in which a model artifact can be damaged, on disk or by someone who seals it again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models import manifest
from models.bundle import save_bundle
from tests.unit.models.conftest import make_bundle
from tests.unit.models.test_bundle import FILES, RESEALED, _cut, _damage, _flip, _resealed, _zero, contents

CUTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.99, 0.999)
FLIPS = (0.0, 0.03, 0.08, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0)
ZEROS = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.97)
RESEALED_CUTS = (0.01, 0.05, 0.15, 0.2, 0.25, 0.4, 0.45, 0.5, 0.55, 0.7, 0.75, 0.8, 0.95)


@dataclass(frozen=True)
class Damage:
    """One way.

    Attributes:
        name: What was done.
        make: Given a folder that does not exist yet, makes a damaged artifact there.
        resealed: Whether its manifest fits, as if it had been registered like that.
    """

    name: str
    make: Callable[[Path], object]
    resealed: bool = False


def damages(sound: Path, other: Path) -> list[Damage]:
    """All of them.

    Args:
        sound: An artifact with trees and a learnt interval.
        other: Another such artifact, of another model.
    """
    return [*_of_files(sound), *_of_folders(sound, other), *_sealed_again(sound)]


def _of_files(sound: Path) -> Iterator[Damage]:
    changes = {f"cut at {s}": _cut(s) for s in CUTS} | {f"flipped at {s}": _flip(s) for s in FLIPS}
    changes |= {f"zeroed at {s}": _zero(s) for s in ZEROS} | {"longer": lambda content: content + b"\n"}
    for file in FILES:
        for name, change in changes.items():
            content = change((sound / file).read_bytes())
            yield Damage(f"{file} {name}", _with_file(sound, file, content))
        yield Damage(f"{file} missing", _with_file(sound, file, None))


def _with_file(sound: Path, file: str, content: bytes | None) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        shutil.copytree(sound, folder)
        (folder / file).unlink()
        if content is not None:
            (folder / file).write_bytes(content)

    return make


def _of_folders(sound: Path, other: Path) -> Iterator[Damage]:
    yield Damage("nothing in the folder", lambda folder: folder.mkdir(parents=True))
    yield Damage("no folder", lambda folder: None)
    yield Damage("another model's artifact", lambda folder: shutil.copytree(other, folder))
    for file in FILES:
        yield Damage(f"{file} of another model", _with_file(sound, file, (other / file).read_bytes()))

        def linked(folder: Path, file: str = file) -> None:
            shutil.copytree(sound, folder)
            (folder / file).unlink()
            (folder / file).symlink_to(other / file)

        yield Damage(f"{file} is a link to another model's", linked)

    def stranger(folder: Path) -> None:
        shutil.copytree(sound, folder)
        (folder / "extra.pkl").write_bytes(b"x")

    yield Damage("a pickle beside it", stranger)


def _sealed_again(sound: Path) -> Iterator[Damage]:
    changes = RESEALED | {f"model cut at {s}": _damage("model.txt", _cut(s)) for s in RESEALED_CUTS}
    for name, change in changes.items():
        yield Damage(f"resealed: {name}", lambda folder, c=change: _resealed(sound, folder, c), resealed=True)


@cache
def identity_of(folder: Path) -> str:
    """Identity of a sound artifact."""
    return manifest.verify(folder)[0]


def write_sound(folder: Path, *, seed: int = 1) -> Path:
    """A sound artifact with all five files."""
    save_bundle(make_bundle(400, seed=seed, refits=2), folder)
    assert set(contents(folder)) == set(FILES)
    return folder
