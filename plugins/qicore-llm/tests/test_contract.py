"""`echo:` keeps the contract, and for each law there is a provider that the law catches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from qicore_core import Opening, Result, failure, success
from qicore_llm import ChatReply, ChatRequest, Delta, Done, LLMClient, Usage
from qicore_llm.conformance import LLMContract
from qicore_llm.errors import llm_error
from qicore_llm.settings import LLMSettings


class TestEcho(LLMContract):
    url = "echo:"


class _Provider:
    """A provider that can be broken in one place."""

    def __init__(self, **broken: Any) -> None:
        self._broken = broken
        self._is_closed = False

    async def chat(self, request: ChatRequest, /) -> Result[ChatReply]:
        if self._broken.get("after_close") and self._is_closed:
            return success(self._reply(request))
        if self._broken.get("conversation") and len(request.messages) > 1:
            return failure(llm_error("LLM_BAD_REQUEST", "one message only"))
        return success(self._reply(request))

    async def stream(self, request: ChatRequest, /) -> Result[AsyncIterator[Result[Delta | Done]]]:
        async def pieces() -> AsyncIterator[Result[Delta | Done]]:
            reply = self._reply(request)
            try:
                yield success(Delta(self._broken.get("streamed", reply.text)))
            finally:
                if self._broken.get("leaves_badly"):
                    raise RuntimeError("left")
            yield success(Done(reply.finish, reply.usage))

        return success(pieces())

    async def close(self) -> None:
        if self._is_closed and self._broken.get("close"):
            raise RuntimeError("closed twice")
        self._is_closed = True

    def _reply(self, request: ChatRequest) -> ChatReply:
        tokens = 9 if request.max_tokens is None else request.max_tokens
        finish = "length" if request.max_tokens and not self._broken.get("length") else "stop"
        return ChatReply(self._broken.get("text", "hi"), finish, Usage(1, tokens), "m")


def broken_by(**broken: Any) -> type[LLMContract]:
    class Broken(LLMContract):
        url: ClassVar[str] = ""

        def opening(self) -> Opening[LLMClient]:
            async def start() -> Result[LLMClient]:
                return success(LLMClient(_Provider(**broken), LLMSettings()))

            return Opening(start)

    return Broken


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("a_chat_is_answered", {"text": ""}),
        ("a_stream_says_what_a_chat_says", {"streamed": "other"}),
        ("a_conversation_is_answered", {"conversation": True}),
        ("an_answer_is_no_longer_than_asked", {"length": True}),
        ("a_stream_may_be_left", {"leaves_badly": True}),
        ("a_closed_client_says_so", {"close": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_law_catches_a_broken_provider(law: str, broken: dict[str, Any]) -> None:
    getattr(broken_by()(), f"test_{law}")()
    with pytest.raises(Exception):  # noqa: B017, PT011  # each law fails in its own way
        getattr(broken_by(**broken)(), f"test_{law}")()
