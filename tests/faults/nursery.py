"""A process that has imported what the cases need, and forks a process for each quick one.

Importing costs a case two to six seconds, which is more than most quick cases do. Forking keeps what the
harness promises: a death or a hang of a case is its own. The nursery also keeps what quick cases would
otherwise each make anew: a workspace to copy, and one running product that is as it comes.

It reads names of cases, one a line, and answers each with two lines: the process, and how that ended.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import psutil

from tests.faults.harness import FOLDER, Row, as_line, limit_seconds, row_of, run_here

# What cases import late, because the product does.
WARM = ("feast", "ibis.backends.duckdb", "sklearn.linear_model", "alembic.command")


class Nursery:
    """The side of the caller.

    Args:
        folder: Where cases write what they say.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [sys.executable, "-W", "ignore", "-m", "tests.faults.nursery", str(folder)]
        self._process = subprocess.Popen(
            command, cwd=FOLDER.parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, case: str) -> Row:
        """Run a quick case and read its line."""
        assert self._process.stdin
        self._process.stdin.write(f"{case}\n")
        self._process.stdin.flush()
        pid = int(self._heard())
        killed: list[int] = []
        timer = Timer(limit_seconds(case), lambda: _kill_family(pid, killed))
        timer.start()
        status = int(self._heard())
        timer.cancel()
        said, complained = (self._folder / f"{case}.{n}" for n in ("said", "complained"))
        return row_of(case, status, said.read_text(), complained.read_text(), hung=bool(killed))

    def close(self) -> None:
        """End it, and the product it keeps."""
        self._process.communicate(timeout=60)

    def _heard(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the nursery ended with {self._process.wait()}")
        return line


def _kill_family(pid: int, killed: list[int]) -> None:
    killed.append(pid)
    with suppress(psutil.NoSuchProcess):
        for process in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def main() -> None:
    """Serve until the input ends."""
    folder = Path(sys.argv[1])
    for name in WARM:
        importlib.import_module(name)
    with kept(folder):
        for line in sys.stdin:
            case = line.strip()
            _prepare(case)
            pid = os.fork()
            if pid == 0:
                _be(case, folder)
            print(pid, flush=True)
            _, status = os.waitpid(pid, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


def _prepare(case: str) -> None:
    """Import the case here, once for all that come after it, and start the product if the case shares it."""
    # What cannot be imported or started is told by the case's own process.
    with suppress(Exception):
        module = importlib.import_module(f"tests.faults.case_{case}")
        if getattr(module, "SHARES_PRODUCT", False):
            from tests.faults.target import HOUSE

            HOUSE.open()


def _be(case: str, folder: Path) -> None:
    """Be a case: never returns."""
    status = 1
    try:
        for number, name in ((1, "said"), (2, "complained")):
            handle = os.open(folder / f"{case}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
        print(as_line(run_here(case, full=False)), flush=True)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """The house of the cases, which is closed at the end."""
    from tests.faults.target import HOUSE

    HOUSE.prepare(folder)
    try:
        yield
    finally:
        HOUSE.close()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="nursery-") as folder:
        found = Nursery(Path(folder))
        try:
            yield found
        finally:
            found.close()


if __name__ == "__main__":
    main()
