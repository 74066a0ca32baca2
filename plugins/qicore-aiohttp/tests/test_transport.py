"""When aiohttp is imported, what can be set, and the loop that the transport keeps to."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from qicore_core import QiError
from qicore_core.testing import assert_failure, assert_success
from qicore_http import open_http
from qicore_http.conformance import Server


def test_the_sdk_is_imported_when_a_client_is_opened() -> None:
    code = "import qicore_aiohttp.plugin, sys; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("HTTP_SETTINGS_INVALID", "client_object", 5),
        ("HTTP_SETTINGS_INVALID", "verify", 5),
        ("HTTP_UNSUPPORTED", "timeout", 5),
        ("HTTP_UNSUPPORTED", "http2", True),
    ],
)
def test_a_setting_that_is_wrong_is_named(code: str, name: str, value: object) -> None:
    async def main() -> QiError:
        options: dict[str, Any] = {name: value}
        return assert_failure(await open_http(client="aiohttp", **options), code=code)

    assert name in asyncio.run(main()).message


def test_a_session_of_the_callers_checks_certificates_itself() -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as mine:
            options: dict[str, Any] = {"client_object": mine}
            options["verify"] = ssl.create_default_context()
            opened = await open_http(client="aiohttp", **options)
            assert_failure(opened, code="HTTP_SETTINGS_INVALID", setting="verify")

    asyncio.run(main())


def test_a_client_used_in_another_loop_says_so_and_goes_on_in_its_own(server: Server) -> None:
    async def main() -> None:
        async with open_http(server.url, client="aiohttp") as http:
            assert_success(await http.get("/x"))
            with pytest.raises(RuntimeError, match="event loop"):
                await asyncio.to_thread(lambda: asyncio.run(http.get("/x")))
            assert_success(await http.get("/x"))

    asyncio.run(main())
    assert server.connections == 1
