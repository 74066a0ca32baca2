"""A program whose last line is `serve(app)`, as the system sees it."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Generator

import pytest

from qicore_core import ErrorCategory

PROGRAM = """
import asyncio, sys
from qicore_core import configure_logging
from qicore_uvicorn import serve

async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] == "/slow":
        print("entered", flush=True)
        await asyncio.sleep(float(sys.argv[2]))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

def line(record):
    return str(record.fields.get("address", "-"))

configure_logging(format=line, sink="stdout").unwrap()
serve(app, port=int(sys.argv[1]))
print("after")
"""


@contextlib.contextmanager
def program(port: int = 0, slow: float = 0.3) -> Generator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), str(slow)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with child:
            yield child
            assert child.wait(20) is not None
    finally:
        child.kill()


def _address(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip().removeprefix("http://")


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGTERM, 0, "after"), (signal.SIGINT, 130, "")]
)
def test_a_served_program_drains_on_a_signal(number: signal.Signals, code: int, said: str) -> None:
    with program() as child:
        connection = http.client.HTTPConnection(_address(child), timeout=10)
        connection.request("GET", "/slow")
        assert child.stdout is not None
        assert child.stdout.readline() == "entered\n"
        child.send_signal(number)
        assert connection.getresponse().status == 204
        connection.close()
        out, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert out.splitlines()[1:] == ([said] if said else [])
    assert "Traceback" not in err


def test_a_second_signal_cuts() -> None:
    with program(slow=60.0) as child:
        connection = http.client.HTTPConnection(_address(child), timeout=10)
        connection.request("GET", "/slow")
        assert child.stdout is not None
        assert child.stdout.readline() == "entered\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "-\n"  # the line that says so
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=5)
        connection.close()
    assert child.returncode == 0


def test_a_served_program_says_what_failed_and_exits_by_its_category() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, program(taken.getsockname()[1]) as child:
        out, err = child.communicate(timeout=20)
    assert child.returncode == ErrorCategory.CONFLICT.exit_code
    assert err.startswith("error: SERVER_PORT_IN_USE: 127.0.0.1:")
    assert "hint: " in err
    assert "Traceback" not in err
    assert out == ""
