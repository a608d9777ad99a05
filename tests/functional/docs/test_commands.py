"""What README and docs tell people to type is typed here, in order, page by page."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import REPOSITORY
from tests.functional.docs.worlds import panel

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- (?P<marker>not run|output differs): [^>]+? -->\n+)?"
    r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$",
    re.S | re.M,
)
NEEDS = re.compile(r"^<!-- tests need: (.+) -->$", re.M)
RUN = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block of commands."""

    kind: str
    body: str
    marker: str | None

    @property
    def run(self) -> bool:
        """Whether it holds commands that are run."""
        return self.kind in RUN and self.marker != "not run"

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Commands with the lines they print; of a shell script, all of it and nothing."""
        if self.kind == "sh":
            yield self.body, []
            return
        for part in re.split(r"^\$ ", self.body, flags=re.M)[1:]:
            command, *shown = part.splitlines()
            yield command, [] if self.marker == "output differs" else shown


def blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(f["kind"], f["body"], f["marker"]) for f in found]


def needs(page: Path) -> set[str]:
    return {word for found in NEEDS.findall(page.read_text(encoding="utf-8")) for word in found.split(", ")}


def runnable() -> list[object]:
    """Pages with a command that can be run; those that need a trained workspace or a server are slow."""
    cases = []
    for page in PAGES:
        if any(b.run for b in blocks(page)):
            marks = [getattr(pytest.mark, name) for name in ("postgres", "redis") if name in needs(page)]
            marks += [pytest.mark.slow] if needs(page) else []
            cases.append(pytest.param(page, marks=marks, id=str(page.relative_to(REPOSITORY))))
    return cases


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo, ready to be served."""
    root = tmp_path_factory.mktemp("docs") / "demo"
    shell(f"partnerintel demo -w {root} --no-serve --partners 150", root.parent, {})
    return root


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", runnable())
def test_commands_of_a_page_work_in_their_order(
    page: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wanted = needs(page)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    if "demo" in wanted:
        shutil.copytree(request.getfixturevalue("demo"), tmp_path / "var" / "demo")
    if "panel" in wanted:
        panel().to_csv(tmp_path / "panel.csv", index=False)
    with addresses_of(wanted) as addresses:
        for block in blocks(page):
            if block.run:
                for command, shown in block.commands():
                    printed = shell(command, tmp_path, addresses)
                    assert missing(shown, printed) == [], f"{command} printed\n{printed}"


@contextmanager
def addresses_of(wanted: set[str]) -> Iterator[Mapping[str, str]]:
    """Starts the servers a page talks to; the variables that name them."""
    found: dict[str, str] = {}
    with ExitStack() as stack:
        if "postgres" in wanted:
            servers.skip_without_postgres()
            found["STATE_URL"] = stack.enter_context(servers.postgres_server()).url
        if "redis" in wanted:
            servers.skip_without_redis()
            found["REDIS"] = stack.enter_context(servers.redis_server()).connection_string
        yield found


def shell(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command as a reader would; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def missing(shown: list[str], printed: str) -> list[str]:
    """Lines of the page that were not printed; figures may differ, and `…` stands for anything."""
    there = [masked(line) for line in printed.splitlines()]
    return [line for line in shown if not any(re.fullmatch(pattern(line), t) for t in there)]


def pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in masked(line).split("…"))


def masked(line: str) -> str:
    """Without what differs from run to run: digits, and the width of columns."""
    return re.sub(r"\s+", " ", re.sub(r"[0-9][0-9,.]*", "0", line)).strip()


def test_a_line_that_was_not_printed_is_missed() -> None:
    assert missing(["deals 4 2"], "deals   7 12\n") == []
    assert missing(["deals 4 2"], "events 4 2\n") == ["deals 4 2"]
    assert missing(["Bad rows are in …"], "Bad rows are in /x\n") == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_every_block_of_commands_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert block.kind, f"a fence without a language:\n{block.body[:200]}"
        if block.kind not in (*RUN, "text"):
            assert not re.search(r"^(\$ )?(partnerintel|make|\.venv/bin/\S+) ", block.body, re.M), block.body


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    page = runpy.run_path(str(REPOSITORY / "docs" / "cli_reference.py"))
    told = page["PAGE"].read_text(encoding="utf-8")
    assert told == page["rendered"](), "run: .venv/bin/python docs/cli_reference.py"
