"""A client that never finishes its headers loses the connection; one that asks properly does not."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.patience import limited

SECONDS = 0.5


@pytest.fixture(params=[HttpToolsProtocol, H11Protocol], ids=["httptools", "h11"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    async def app(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        if scope["path"] == "/slow":
            await asyncio.sleep(4 * SECONDS)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=limited(request.param, seconds=SECONDS), lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield int(held.getsockname()[1])
        server.should_exit = True
        thread.join(10)


def closed_within(open_socket: socket.socket, seconds: float) -> bool:
    open_socket.settimeout(seconds)
    try:
        return open_socket.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\nA: b"])
def test_unfinished_headers_end_the_connection(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(sent)
        assert closed_within(client, 20 * SECONDS)


def test_a_header_now_and_then_does_not_help(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        ended, begun = False, time.monotonic()
        while not ended and time.monotonic() - begun < 20 * SECONDS:
            try:
                client.sendall(b"X: y\r\n")
                ended = closed_within(client, SECONDS / 5)
            except OSError:
                ended = True
        assert ended


def test_a_slow_answer_and_a_second_request_are_left_alone(port: int) -> None:
    ask = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(20)
        for path in (b"/slow", b"/"):
            client.sendall(ask % path)
            answer = b""
            while not answer.endswith(b"ok"):
                part = client.recv(1000)
                assert part
                answer += part
        client.sendall(b"GET / HT")
        assert closed_within(client, 20 * SECONDS)
