"""What a program meets when a model fails, tried with `echo:`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_core import ConfigData, Parts, Policy, Runtime, Secret
from qicore_core.testing import FakeClock, assert_failure, recorded
from qicore_llm import LLM, fallback, open_llm, user
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
    ("settings", "said"),
    [
        ({"max_tokens": 0}, "max_tokens is at least 1, got 0"),
        ({"max_tokens": "many"}, "max_tokens must be a whole number"),
        ({"temperature": 3.0}, "temperature is from 0.0 to 2.0"),
        ({"idle_timeout": 0.0}, "idle_timeout is seconds above 0"),
        ({"idle_timeout": float("nan")}, "idle_timeout is seconds above 0"),
        ({"idle_timeout": "x"}, "idle_timeout must be a number"),
        ({"policy": "x"}, "policy must be a Policy"),
        ({"model": 5}, "model must be text"),
        ({"nonsense": 1}, "there is no llm setting 'nonsense'"),
        ({"temprature": 1}, "did you mean temperature?"),
        ({"api_keys": 1}, "did you mean api_key?"),
    ],
    ids=str,
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    async def main() -> None:
        for section in (False, True):  # by the door, and by a configuration
            opening: Any = open_llm("echo:", **settings)
            if section:
                data = ConfigData.from_object({"llm": {"url": "echo:", **settings}}).unwrap()
                opening = Runtime.open(data, handle_sigterm=False)
            error = assert_failure(await opening, "LLM_SETTINGS_INVALID")
            assert said in error.message
            assert (error.category, len(error.errors)) == ("CONFIGURATION", 1)

    run(main())


def test_variables_say_settings_as_text() -> None:
    async def main() -> None:
        environ = {"A_LLM__URL": "echo:", "A_LLM__MAX_TOKENS": "3", "A_LLM__API_KEY": "sk-planted"}
        data = ConfigData.from_environment("A_", environ).unwrap()
        async with Runtime.open(data, handle_sigterm=False) as runtime:
            reply = (await runtime.get(LLM).chat("one two three four")).unwrap()
            assert (reply.finish, reply.usage.output_tokens) == ("length", 3)

    run(main())


def test_what_a_call_asks_for_is_read_as_settings_are() -> None:
    async def main() -> None:
        async with open_llm("echo:", max_tokens=3) as llm:
            for option, said in (
                ({"max_tokens": "many"}, "max_tokens must be a whole number, got 'many' (the call"),
                ({"temperature": 9.0}, "temperature is from 0.0 to 2.0, got 9.0"),
                ({"model": 5}, "model must be text"),
            ):
                asked: Any = option
                error = assert_failure(await llm.chat("hi", **asked), "LLM_BAD_REQUEST")
                assert said in error.message
                assert (error.category, error.source) == ("VALIDATION", "llm")
            assert (await llm.chat("one two three", temperature=0.5)).unwrap().finish == "length"

    run(main())


def test_an_unknown_model_and_provider_are_named() -> None:
    async def main() -> None:
        opened = await open_llm("echo:nonsense")
        assert "nonsense" in assert_failure(opened, code="LLM_MODEL_NOT_FOUND").message
        async with open_llm("echo:") as llm:
            chat = await llm.chat("x", model="nonsense")
            assert "nonsense" in assert_failure(chat, code="LLM_MODEL_NOT_FOUND").message
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


def test_what_is_not_here_yet_says_so_and_what_to_do() -> None:
    async def main() -> None:
        async with open_llm("echo:") as llm, open_llm("echo:") as other:
            answers: list[Any] = [
                await llm.embed(["a text"], model="m", timeout=1.0),
                await llm.list_models(timeout=1.0),
                await llm.chat_structured("who?", dict, max_tokens=5),
                fallback(llm, other),
            ]
            names = ("embed", "list_models", "chat_structured", "fallback")
            for name, answer in zip(names, answers, strict=True):
                error = assert_failure(answer, code="LLM_OPTION_UNSUPPORTED")
                assert name in error.message
                assert error.hint
        for answer in (
            await llm.embed("a text"),
            await llm.list_models(),
            await llm.chat_structured("who?", dict),
        ):
            assert_failure(answer, code="LLM_NOT_CONNECTED")

    run(main())


@pytest.mark.parametrize("name", ["tools", "max_cost", "response_format", "temprature"])
def test_an_option_that_nobody_honours_is_never_dropped(name: str) -> None:
    async def main() -> None:
        option: Any = {name: 1}
        async with open_llm("echo:") as llm:
            for answer in (
                await llm.chat("hi", **option),
                await llm.complete("hi", **option),
                await llm.chat_structured("hi", dict, **option),
                await llm.chat_stream("hi", **option).collect(),
            ):
                assert_failure(answer, code="LLM_OPTION_UNSUPPORTED")
            chat = assert_failure(await llm.chat("hi", **option))
            assert name in chat.message
            assert "max_tokens" in (chat.hint or "")
            assert chat.category == "UNSUPPORTED"

    run(main())
