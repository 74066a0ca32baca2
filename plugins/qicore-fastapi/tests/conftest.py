"""A real server on a real socket, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from qicore_core.log import LoggerFactory, LogRecord
from qicore_uvicorn import Server


class Answer:
    """What came back."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def everything(self) -> str:
        return f"{self.headers}\n{self.text}"


class Site:
    """An application that is served."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.address = str(server.address).removeprefix("http://")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}), encode_chunked=chunked)
            return Answer(connection.getresponse())

    def get(self, path: str, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("GET", path, headers=named)

    def post(self, path: str, data: object) -> Answer:
        return self.call("POST", path, json.dumps(data), {"Content-Type": "application/json"})

    def settle(self) -> None:
        """Stop, so that what comes after an answer is done: its line, its background tasks."""
        self.stop().result(10)

    def stop(self) -> Any:
        return asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop)


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], Site]]:
    """Give a function that serves an application until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(_served(app))


@contextlib.contextmanager
def _served(app: FastAPI) -> Generator[Site]:
    ready = threading.Event()
    held: list[Any] = []

    async def main() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        started = await Server(app, port=0).start()
        held.extend((started, loop, over))
        ready.set()
        if started:
            await over.wait()
            assert await started.value.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert ready.wait(10)
        started, loop, over = held
        yield Site(started.unwrap(), loop)
        loop.call_soon_threadsafe(over.set)
    finally:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def lines() -> list[LogRecord]:
    """Hold what `logger` says."""
    return []


@pytest.fixture
def logger(lines: list[LogRecord]) -> Any:
    """Give a logger that writes into `lines`, from DEBUG on."""
    return LoggerFactory.create("web", "debug", format="json", sink=lines).unwrap()
