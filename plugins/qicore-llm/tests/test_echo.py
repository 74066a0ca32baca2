"""What a program meets when a model fails, tried with `echo:`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_core import ConfigData, Parts, Policy, Runtime, Secret
from qicore_core.testing import FakeClock, assert_failure, recorded
from qicore_llm import LLM, open_llm, user
from qicore_llm.errors import CODES


def run(main: Any) -> Any:
    return asyncio.run(main)


def test_echo_says_what_the_user_said() -> None:
    async def main() -> None:
        async with open_llm("echo:") as llm:
            reply = (await llm.chat("hello there", stop=("there",))).unwrap()
            assert reply.text == "echo: hello"
            assert reply.usage.input_tokens == 2

    run(main())


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("LLM_")])
def test_each_code_can_be_had_on_request(code: str) -> None:
    async def main() -> None:
        async with open_llm(f"echo:{code}", policy=Policy()) as llm:
            error = assert_failure(await llm.chat("hi"), code=code)
            assert error.category is CODES[code]
            assert_failure(await llm.chat_stream("hi").collect(), code=code)

    run(main())


def test_what_is_worth_it_is_tried_twice_and_no_more() -> None:
    async def main() -> None:
        for code, attempts in (("LLM_OVERLOADED", 2), ("LLM_BAD_REQUEST", 1)):
            async with open_llm(f"echo:{code}", parts=Parts(clock=FakeClock())) as llm:
                with recorded() as events:
                    await llm.chat("hi")
                assert len([one for one in events if one.phase == "attempt"]) == attempts

    run(main())


def test_a_stream_cut_short_is_a_failure_that_says_how_much_arrived() -> None:
    async def main() -> None:
        async with open_llm("echo:truncated") as llm:
            pieces = [piece async for piece in llm.chat_stream("hello")]
            assert [piece.is_success() for piece in pieces] == [True, False]
            error = assert_failure(pieces[-1], code="LLM_STREAM_TRUNCATED")
            assert error.context["received_characters"] == len("echo:")

    run(main())


def test_a_deadline_holds_for_a_whole_stream_and_for_a_chat() -> None:
    async def main() -> None:
        async with open_llm("echo:slow", policy=Policy()) as llm:
            assert_failure(await llm.chat("hi", timeout=0.05), code="DEADLINE_EXCEEDED")
            late = await llm.chat_stream("hi", timeout=0.05).collect()
            assert "deadline" in assert_failure(late, code="LLM_TIMEOUT").message
        async with open_llm("echo:slow", idle_timeout=0.05) as llm:
            silent = await llm.chat_stream("hi").collect()
            assert "said nothing" in assert_failure(silent, code="LLM_TIMEOUT").message

    run(main())


@pytest.mark.parametrize(
    "settings",
    [{"max_tokens": 0}, {"temperature": 3.0}, {"idle_timeout": 0.0}, {"nonsense": 1}],
    ids=str,
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    async def main() -> None:
        assert_failure(await open_llm("echo:", **settings), code="LLM_SETTINGS_INVALID")

    run(main())


def test_an_unknown_model_and_provider_are_named() -> None:
    async def main() -> None:
        async with open_llm("echo:nonsense") as llm:
            assert (
                "nonsense"
                in assert_failure(await llm.chat("x"), code="LLM_MODEL_NOT_FOUND").message
            )
        error = assert_failure(await open_llm("ehco:"), code="PLUGIN_NOT_FOUND")
        assert "echo" in (error.hint or "")

    run(main())


def test_a_section_opens_it_and_a_key_is_never_shown() -> None:
    async def main() -> None:
        data = ConfigData.from_object({"llm": {"url": "echo:", "max_tokens": 3}}).unwrap()
        async with Runtime.open(data) as runtime:
            llm = runtime.get(LLM)
            assert (await llm.chat([user("one two three four")])).unwrap().finish == "length"
        async with open_llm("echo:", api_key="sk-planted-secret-123456") as llm:
            shown = repr(llm) + repr(await llm.chat("hi"))
            assert "planted" not in shown
        async with open_llm("echo:", api_key=Secret("sk-planted-secret-123456")) as llm:
            assert await llm.health()

    run(main())
