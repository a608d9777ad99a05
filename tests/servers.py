"""Real servers for tests: Redis and PostgreSQL on loopback, in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 30.0
POSTGRES_FOLDERS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")


@dataclass(frozen=True)
class Redis:
    """A running server.

    Attributes:
        host: Loopback.
        port: Free when it was started.
        process: The server.
    """

    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def connection_string(self) -> str:
        """As Feast wants it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes:
        host: Loopback.
        port: Free when it was started.
        user: Superuser; no password (only loopback may connect).
        database: An empty database.
    """

    host: str
    port: int
    user: str
    database: str

    @property
    def url(self) -> str:
        """SQLAlchemy URL for psycopg 3."""
        return f"postgresql+psycopg://{self.user}@{self.host}:{self.port}/{self.database}"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_binary() -> str | None:
    """redis-server, or None."""
    return shutil.which("redis-server")


def postgres_binary(name: str) -> str | None:
    """initdb, postgres or pg_ctl: on the path, or the newest version where Debian keeps them."""
    found = shutil.which(name)
    if found:
        return found
    paths = [p for root in POSTGRES_FOLDERS for p in Path(root).glob(f"*/bin/{name}")]
    return (
        str(max(paths, key=lambda p: [int(n) for n in p.parts[-3].split(".") if n.isdigit()]))
        if paths
        else None
    )


def skip_without_redis() -> None:
    """Skip the test, with the reason, where there is no Redis."""
    if redis_binary() is None:
        pytest.skip("no redis-server on this machine; install the Debian package redis-server")


def skip_without_postgres() -> None:
    """Skip the test, with the reason, where there is no PostgreSQL."""
    if postgres_binary("initdb") is None or postgres_binary("postgres") is None:
        pytest.skip("no PostgreSQL server on this machine; install the Debian package postgresql")


@contextmanager
def redis_server() -> Iterator[Redis]:
    """An empty Redis that writes nothing to disk."""
    binary = redis_binary()
    assert binary, "call skip_without_redis() first"
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        port = free_port()
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        process = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until_listening(port, process)
            yield Redis("127.0.0.1", port, process)
        finally:
            _stop(process)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """An empty PostgreSQL; it refuses to run as root, so there it runs as the user postgres."""
    initdb, server = postgres_binary("initdb"), postgres_binary("postgres")
    assert initdb, "call skip_without_postgres() first"
    assert server, "call skip_without_postgres() first"
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder, port = Path(name), free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, user="postgres")
        data = str(folder / "data")
        _run_unprivileged(
            [initdb, "-D", data, "-U", "tester", "--auth=trust", "--no-sync", "-E", "UTF8"], folder
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": name,
            "fsync": "off",
        }
        arguments = [text for key, value in options.items() for text in ("-c", f"{key}={value}")]
        process = subprocess.Popen(
            _unprivileged([server, "-D", data, *arguments]),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until_answering(port, process)
            yield Postgres("127.0.0.1", port, "tester", "postgres")
        finally:
            _stop(process)


def _unprivileged(command: Sequence[str]) -> list[str]:
    """The command, as the user postgres when we are root; setpriv replaces itself, so signals arrive."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def _run_unprivileged(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(_unprivileged(command), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed: {done.stderr}"


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not listen on {port} within {START_SECONDS} s")


def _until_answering(port: int, process: subprocess.Popen[bytes]) -> None:
    """PostgreSQL listens before it answers queries."""
    import psycopg

    _until_listening(port, process)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="tester", dbname="postgres").close()
        except psycopg.OperationalError:
            assert time.monotonic() < end, "PostgreSQL did not answer"
            time.sleep(0.1)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT is a fast shutdown for PostgreSQL and a shutdown for Redis."""
    if process.poll() is None:
        process.send_signal(2)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
