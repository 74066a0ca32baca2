"""What exists, shown: each step prints its code, then what the code prints."""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap

import qicore as qi


def port(raw: str) -> qi.Result[int]:
    if not raw.isdigit():
        return qi.failure(
            qi.QiError.validation(
                "PORT_NOT_A_NUMBER",
                f"port must be digits, got {raw!r}",
                hint="use a number from 1 to 65535",
                field="port",
            )
        )
    return qi.success(int(raw))


@qi.do
def address(host: str, raw_port: str) -> str:
    return f"{host}:{qi.unwrap(port(raw_port))}"


@qi.do
async def connect(host: str, raw_port: str) -> str:
    where = qi.unwrap(address(host, raw_port))
    await asyncio.sleep(0)  # a real one would wait for the network here
    return f"connected to {where}"


def an_operation_returns_a_result() -> None:
    for raw in ("8080", "http"):
        match port(raw):
            case qi.Success(number):
                print("listening on", number)
            case qi.Failure(error):
                print("refused:", error.message)


def an_error_says_what_follows_from_it() -> None:
    error = port("http").unwrap_error()
    print(error.code, "is", error.category)
    print("retry:", error.retryable, "· HTTP status:", error.category.http_status)
    print("what to do:", error.hint)


def do_takes_the_value_or_leaves_with_the_failure() -> None:
    print(address("localhost", "8080"))
    print(address("localhost", "http").unwrap_or("no address"))


def the_same_with_await() -> None:
    print(asyncio.run(connect("localhost", "8080")).unwrap())
    print("failed:", asyncio.run(connect("localhost", "http")).is_failure())


def many_results_become_one() -> None:
    print(qi.collect(port(raw) for raw in ("80", "443")).unwrap())
    errors = qi.accumulate(port(raw) for raw in ("80", "x", "y")).unwrap_error().errors
    print([error.message for error in errors])


def foreign_exceptions_are_caught_where_you_say_so() -> None:
    print(qi.from_try_catch(int, "12", catch=ValueError).unwrap())
    print(qi.from_try_catch(int, "twelve", catch=ValueError).unwrap_error().message)


def a_secret_shows_itself_to_nobody() -> None:
    key = qi.Secret("correct horse battery staple")
    print(key, f"{key!r}", len(key.reveal()))
    error = qi.QiError.authentication("KEY_REFUSED", "the key was refused", api_key=key.reveal())
    print(error.to_dict()["context"])


STEPS = [
    an_operation_returns_a_result,
    an_error_says_what_follows_from_it,
    do_takes_the_value_or_leaves_with_the_failure,
    the_same_with_await,
    many_results_become_one,
    foreign_exceptions_are_caught_where_you_say_so,
    a_secret_shows_itself_to_nobody,
]


def main() -> None:
    """Print every step: a heading, its code, its output."""
    print(f"QiCore {qi.__version__} on Python {sys.version.split()[0]}")
    print("\nThree functions, and what is done with them:\n")
    for function in (port, address, connect):
        print(textwrap.indent(inspect.getsource(function), "    "))
    for number, step in enumerate(STEPS, 1):
        print(f"\n{number}. {step.__name__.replace('_', ' ').capitalize()}\n")
        body = inspect.getsource(step).split("\n", 1)[1]
        print(textwrap.indent(textwrap.dedent(body), "    "))
        step()


if __name__ == "__main__":
    main()
