"""Run by case F2 in a mount namespace of its own: nights on a disk with hardly any room left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from tests.faults import case_f9 as nights
from tests.faults.case_f9 import AFTER, State, started

MEBIBYTE = 1024 * 1024


def main() -> None:
    home, rooms = Path(sys.argv[1]), [int(n) for n in sys.argv[2:]]
    old, new = (state_from(s) for s in json.loads((home / "states.json").read_text()))
    disk = home / "disk"
    disk.mkdir()
    need = sum(p.stat().st_size for p in (home / "reference").rglob("*") if p.is_file())
    size = 2 * need // MEBIBYTE + 64
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(disk)], check=True)
    for room in rooms:
        print(json.dumps(tried(home, disk, old, new, room)), flush=True)


def tried(home: Path, disk: Path, old: State, new: State, room: int) -> dict[str, object]:
    """One night with so many bytes free; then the disk is cleared and the next night follows."""
    root = disk / "workspace"
    shutil.copytree(home / "before", root)
    fill(disk, leave=room)
    with started(root, AFTER) as process:
        assert process.stderr is not None
        said = process.stderr.read()
    faults = []
    if process.returncode < 0:
        faults.append(f"died of signal {-process.returncode}: {said[-200:]}")
    if process.returncode > 0 and not any(w in said for w in ("No space left", "disk is full")):
        faults.append(f"did not say that the disk is full: {said[-200:]}")
    (disk / "ballast").unlink()
    faults += nights.torn(root, old, new)
    stage = nights.stage(root, old, new)
    nights.finish(root)
    if (found := nights.state_of(root)) != new:
        faults.append(f"the next night ended with {found}, not {new}")
    shutil.rmtree(root)
    return {"room": room, "failed": process.returncode != 0, "stage": stage, "faults": faults}


def fill(disk: Path, *, leave: int) -> None:
    """A file that takes all but the last bytes."""
    free = shutil.disk_usage(disk).free - leave
    with (disk / "ballast").open("wb") as file:
        for start in range(0, free, MEBIBYTE):
            file.write(b"\0" * min(MEBIBYTE, free - start))


def state_from(values: dict[str, str]) -> State:
    return State(**{**values, "online": date.fromisoformat(values["online"])})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
