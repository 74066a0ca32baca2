"""The laws of a provider, tried on the client that users hold."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st

from qicore_core import Failure, Opening
from qicore_core.conformance import Contract, law
from qicore_core.testing import assert_failure

from ..client import LLMClient
from ..door import open_llm
from ..message import assistant, system, user

__all__ = ["LLMContract"]

_TEXTS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)


class LLMContract(Contract[LLMClient], abstract=True):
    """The laws of a provider, for the one that answers `url`.

    Attributes:
        url: provider and model.
        settings: the provider's settings, such as a key and where its test server is.
    """

    max_examples = 10
    url: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}

    def opening(self) -> Opening[LLMClient]:
        """Open a client."""
        return open_llm(self.url, **self.settings)

    @law(text=_TEXTS)
    async def a_chat_is_answered(self, llm: LLMClient, text: str) -> None:
        """An answer has text, a reason to stop, a model, and usage that was counted."""
        reply = (await llm.chat(text, timeout=30.0)).unwrap()
        assert reply.text
        assert reply.finish in ("stop", "length")
        assert reply.model
        assert reply.usage.input_tokens > 0
        assert reply.usage.output_tokens > 0

    @law(text=_TEXTS)
    async def a_stream_says_what_a_chat_says(self, llm: LLMClient, text: str) -> None:
        """The pieces of a stream, put together, are the answer."""
        whole = (await llm.chat(text, timeout=30.0)).unwrap()
        pieces = (await llm.chat_stream(text, timeout=30.0).collect()).unwrap()
        assert "".join(pieces) == whole.text

    @law(text=_TEXTS)
    async def a_conversation_is_answered(self, llm: LLMClient, text: str) -> None:
        """System, user and assistant messages are taken in their order."""
        said = [system("be brief"), user("one"), assistant("1"), user(text)]
        assert (await llm.chat(said, timeout=30.0)).unwrap().text
        assert (await llm.complete(text, timeout=30.0)).unwrap()

    @law()
    async def an_answer_is_no_longer_than_asked(self, llm: LLMClient) -> None:
        """With `max_tokens` an answer stops, and says that this was why."""
        reply = (await llm.chat("one two three four five", max_tokens=2, timeout=30.0)).unwrap()
        assert reply.finish == "length"
        assert reply.usage.output_tokens <= 2

    @law(prompt=st.sampled_from([[], [5], 5, None]))
    async def a_prompt_that_is_none_is_refused(self, llm: LLMClient, prompt: Any) -> None:
        """What is no prompt is LLM_BAD_REQUEST, in a chat and in a stream."""
        assert_failure(await llm.chat(prompt), code="LLM_BAD_REQUEST")
        assert_failure(await llm.chat_stream(prompt).collect(), code="LLM_BAD_REQUEST")

    @law()
    async def an_option_that_is_none_is_refused(self, llm: LLMClient) -> None:
        """A wrong option is LLM_BAD_REQUEST before anything is sent."""
        assert_failure(await llm.chat("hi", max_tokens=0), code="LLM_BAD_REQUEST")
        assert_failure(await llm.chat("hi", temperature=9.0), code="LLM_BAD_REQUEST")

    @law()
    async def a_stream_may_be_left(self, llm: LLMClient) -> None:
        """Leaving a stream early closes it, and the client goes on working."""
        async with llm.chat_stream("one two three", timeout=30.0) as stream:
            async for piece in stream:
                assert piece
                break
        async with llm.chat_stream("one two three", timeout=30.0):
            pass
        assert await llm.chat("again", timeout=30.0)

    @law()
    async def a_closed_client_says_so(self, llm: LLMClient) -> None:
        """After close every call is LLM_NOT_CONNECTED, and closing again does no harm."""
        await llm.close()
        await llm.close()
        for answer in (
            await llm.chat("hi"),
            await llm.complete("hi"),
            await llm.chat_stream("hi").collect(),
            await llm.health(),
        ):
            assert isinstance(answer, Failure)
            assert_failure(answer, code="LLM_NOT_CONNECTED")
