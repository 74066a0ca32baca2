"""The first steps: a configuration read as a type, results in a chain, one way to fail.

The v4 guide's example, corrected: an `async def` is awaited in the chain, not passed to `flat_map`,
which would map to a coroutine; and what is fetched comes through the real HTTP client, with routes
in place of the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import qicore as qi


@dataclass(frozen=True)
class MyConfig:
    api_url: str
    timeout: timedelta = timedelta(seconds=30)


def validate_url(url: str) -> qi.Result[str]:
    if url.startswith(("http://", "https://")):
        return qi.success(url)
    hint = "write it as https://host/path"
    return qi.failure(qi.QiError.validation("INVALID_URL", f"{url!r} is no URL", hint=hint))


async def fetch_data(http: qi.HttpClient, url: str) -> qi.Result[dict[str, str]]:
    return await http.get_json(url, dict)


def process_data(data: dict[str, str]) -> str:
    return f"Processed: {data.get('data', 'none')}"


@qi.do
async def fetch_and_process(http: qi.HttpClient, values: dict[str, object]) -> str:
    """The same as a chain, read from top to bottom: unwrap gives the value or leaves."""
    config = qi.unwrap(qi.Configuration(MyConfig).from_object(values))
    data = await qi.unwrap(fetch_data(http, config.api_url))
    return process_data(data)


async def main() -> qi.Result[None]:
    http = qi.FakeHttp({"GET /": {"data": "example"}, "GET /down": (404, b"")}).client()

    # 1. A configuration, read as a type
    configuration = qi.Configuration(MyConfig)
    config = configuration.from_object({"api_url": "https://api.example.com/", "timeout": "5s"})

    # 2. Both outcomes, in one expression
    print(
        config.match(
            on_success=lambda config: f"Config loaded: {config.api_url}",
            on_failure=lambda error: f"Config failed: {error.message}",
        )
    )

    # 3. A chain: plain functions by map and flat_map, an async one by flat_map_async
    url = config.flat_map(lambda config: validate_url(config.api_url))
    data = await url.flat_map_async(lambda url: fetch_data(http, url))
    print("Final result:", data.map(process_data).unwrap_or("default_value"))

    # 4. The same by @do; and what is wrong is said, all of it at once
    print("By @do:", await fetch_and_process(http, {"api_url": "https://api.example.com/"}))
    wrong = configuration.from_object({"api_ulr": "https://api.example.com", "timeout": "soon"})
    for error in wrong.unwrap_error().errors:
        print("-", error.message)

    # 5. A Failure is data that says what follows from it
    match await fetch_and_process(http, {"api_url": "https://api.example.com/down"}):
        case qi.Success(value):
            print(value)
        case qi.Failure(error):
            print(error.code, error.category, "retry:", error.retryable)

    # 6. The program ends as its Result says: `run` prints a Failure and exits with its code
    return qi.success()


if __name__ == "__main__":
    qi.run(main())
