"""Every law of the contract catches something broken, and an honest provider breaks none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from qicore_core import Opening, Result, Stream, failure, success
from qicore_llm import ChatReply, ChatRequest, Delta, Done, LLMClient, Usage
from qicore_llm.conformance import LLMContract
from qicore_llm.errors import bad_request


class Honest:
    """A provider that is right in everything; those below break one thing."""

    def client(self, llm: LLMClient) -> Any:
        """Give what the laws are tried on."""
        return llm

    def reply(self, request: ChatRequest) -> ChatReply:
        tokens = request.max_tokens or 9
        return ChatReply("hi", "length" if request.max_tokens else "stop", Usage(1, tokens), "m")

    async def chat(self, request: ChatRequest, /) -> Result[ChatReply]:
        return success(self.reply(request))

    async def stream(self, request: ChatRequest, /) -> Result[AsyncIterator[Result[Delta | Done]]]:
        return success(self.pieces(self.reply(request)))

    async def pieces(self, reply: ChatReply) -> AsyncIterator[Result[Delta | Done]]:
        yield success(Delta(reply.text))
        yield success(Done(reply.finish, reply.usage))

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class SaysNothing(Honest):
    def reply(self, request: ChatRequest) -> ChatReply:
        return ChatReply("", "stop", Usage(1, 1), "m")


class CountsNothing(Honest):
    def reply(self, request: ChatRequest) -> ChatReply:
        return ChatReply("hi", "stop", Usage(0, 0), "m")


class StreamsSomethingElse(Honest):
    async def pieces(self, reply: ChatReply) -> AsyncIterator[Result[Delta | Done]]:
        yield success(Delta("other"))
        yield success(Done(reply.finish, reply.usage))


class CutsStreamsShort(Honest):
    async def pieces(self, reply: ChatReply) -> AsyncIterator[Result[Delta | Done]]:
        yield success(Delta(reply.text))


class TakesOneMessage(Honest):
    async def chat(self, request: ChatRequest, /) -> Result[ChatReply]:
        if len(request.messages) > 1:
            return failure(bad_request("one message only"))
        return await super().chat(request)


class NeverStops(Honest):
    def reply(self, request: ChatRequest) -> ChatReply:
        return ChatReply("hi", "stop", Usage(1, 9), "m")


class LeavesBadly(Honest):
    async def pieces(self, reply: ChatReply) -> AsyncIterator[Result[Delta | Done]]:
        try:
            yield success(Delta(reply.text))
        finally:
            raise RuntimeError("left")


class ClosesOnce(Honest):
    is_closed = False

    async def close(self) -> None:
        if self.is_closed:
            raise RuntimeError("closed twice")
        self.is_closed = True


# Where a provider cannot break a law, a client does.


class Client:
    """A client that passes everything on."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm

    def __getattr__(self, name: str) -> Any:
        return getattr(self.llm, name)


class TakesAnyPrompt(Client):
    async def chat(self, prompt: Any, **options: Any) -> Any:
        return await self.llm.chat(prompt or "hi", **options)


class StreamsAnyPrompt(Client):
    def chat_stream(self, prompt: Any, **options: Any) -> Stream[str]:
        stream: Stream[str] = self.llm.chat_stream(prompt or "hi", **options)
        return stream


class DropsOptions(Client):
    async def chat(self, prompt: Any, **options: Any) -> Any:
        return await self.llm.chat(prompt)


class StaysOpen(Client):
    async def close(self) -> None:
        """Forget to."""


def through(client: type[Client]) -> type[Honest]:
    return type(client.__name__, (Honest,), {"client": staticmethod(client)})


CAUGHT = [
    ("a_chat_is_answered", SaysNothing),
    ("a_chat_is_answered", CountsNothing),
    ("a_stream_says_what_a_chat_says", StreamsSomethingElse),
    ("a_stream_says_what_a_chat_says", CutsStreamsShort),
    ("a_conversation_is_answered", TakesOneMessage),
    ("an_answer_is_no_longer_than_asked", NeverStops),
    ("a_prompt_that_is_none_is_refused", through(TakesAnyPrompt)),
    ("a_prompt_that_is_none_is_refused", through(StreamsAnyPrompt)),
    ("an_option_that_is_none_is_refused", through(DropsOptions)),
    ("a_stream_may_be_left", LeavesBadly),
    ("a_closed_client_says_so", ClosesOnce),
    ("a_closed_client_says_so", through(StaysOpen)),
]


def contract_of(kind: type[Honest]) -> type[LLMContract]:
    class Laws(LLMContract):
        shrinks = False  # the first example that fails will do

        def opening(self) -> Opening[LLMClient]:
            async def start() -> Result[LLMClient]:
                provider = kind()
                return success(provider.client(LLMClient(provider)))

            return Opening(start)

    return Laws


TestAnHonestProvider = contract_of(Honest)
TestAnHonestClient = contract_of(through(Client))


def test_for_each_law_there_is_something_broken() -> None:
    assert list(dict.fromkeys([name for name, _ in CAUGHT])) == list(LLMContract.laws())


@pytest.mark.parametrize(("name", "kind"), CAUGHT, ids=lambda part: getattr(part, "__name__", part))
def test_a_law_catches_what_is_broken(name: str, kind: type[Honest]) -> None:
    laws: Any = contract_of(kind)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each law fails in its own way
        getattr(laws(), f"test_{name}")()
    each = getattr(caught.value, "exceptions", (caught.value,))  # several, of several examples
    assert all(one.__notes__[0].startswith(f"Laws breaks the law {name!r}: ") for one in each)


def test_a_law_that_fails_shows_both_sides() -> None:
    laws: Any = contract_of(StreamsSomethingElse)
    with pytest.raises(AssertionError, match="assert 'other' == 'hi'"):
        laws().test_a_stream_says_what_a_chat_says()
