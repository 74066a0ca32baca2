"""The client that users hold: everything that is the same for every provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, Unpack, final

from qicore_core import (
    Deadline,
    Failure,
    Parts,
    Policy,
    QiError,
    Result,
    Stream,
    failure,
    success,
)
from qicore_core.config.settings import read_settings

from .errors import BAD_REQUEST, TIMEOUT, bad_request, closed, llm_error, truncated, unsupported
from .message import ChatReply, ChatRequest, Delta, Done, Prompt, messages_of
from .provider import ChatProvider
from .settings import LLMSettings

__all__ = ["ChatOptions", "LLMClient", "fallback"]

T = TypeVar("T")
_ASKED: Final = ("model", "max_tokens", "temperature")  # settings that a call may replace


class ChatOptions(TypedDict, total=False):
    """What one call asks for, in place of the client's own.

    Attributes:
        model: which model.
        max_tokens: how many tokens the answer may have.
        temperature: how freely to choose, 0.0 to 2.0.
        stop: texts that end the answer.
        timeout: seconds for the whole: attempts, waiting, and all of a stream.
        policy: how the call is made.
    """

    model: str
    max_tokens: int | None
    temperature: float | None
    stop: tuple[str, ...]
    timeout: float | None
    policy: Policy | None


@final
class LLMClient:
    """A client of language models, the same whatever provider answers. Made by `open_llm`.

    Errors:
        LLM_AUTHENTICATION, LLM_RATE_LIMIT, ...: what the provider fails with; the category says
        whether to retry.
        LLM_STREAM_TRUNCATED: a stream ended before its end; the context has how much arrived.
        LLM_TIMEOUT: a stream said nothing for too long. DEADLINE_EXCEEDED: the whole took too long.
        LLM_OPTION_UNSUPPORTED: an option that is not in ChatOptions, or what is not here yet.
        LLM_NOT_CONNECTED: the client was closed.
    """

    __slots__ = ("_calls", "_is_closed", "_provider", "_settings")

    def __init__(
        self,
        provider: ChatProvider,
        settings: LLMSettings | None = None,
        parts: Parts | None = None,
        /,
    ) -> None:
        settings, parts = settings or LLMSettings(), parts or Parts()
        self._provider = provider
        self._settings = settings
        self._calls = settings.policy.attach("llm", clock=parts.clock, random=parts.random)
        self._is_closed = False

    async def chat(self, prompt: Prompt, /, **options: Unpack[ChatOptions]) -> Result[ChatReply]:
        """Give a model's whole answer.

        Args:
            prompt: a text, a message or a conversation.
            options: see ChatOptions.
        """
        request = self._request(prompt, options)
        if isinstance(request, Failure):
            return request
        return await self._calls.run(
            self._provider.chat, request.value, operation="chat", **_how(options)
        )

    async def complete(self, prompt: str, /, **options: Unpack[ChatOptions]) -> Result[str]:
        """Give the text of a model's answer."""
        return (await self.chat(prompt, **options)).map(lambda reply: reply.text)

    def chat_stream(self, prompt: Prompt, /, **options: Unpack[ChatOptions]) -> Stream[str]:
        """Give a model's answer piece by piece.

        What is refused is refused before the first piece, and only until then is anything retried.
        The timeout holds for the whole stream, however slowly it drips.
        """

        async def start() -> Result[AsyncIterator[Result[str]]]:
            request = self._request(prompt, options)
            if isinstance(request, Failure):
                return request
            timeout = options.get("timeout")
            ends = Deadline.after(timeout) if timeout is not None else Deadline.current()
            begin = partial(_begin, self._provider, request.value)
            begun = await self._calls.run(begin, operation="chat_stream", **_how(options))
            idle = self._settings.idle_timeout
            return begun.map(lambda events: _texts(events, ends, idle))

        return Stream(start)

    async def chat_structured(
        self, prompt: Prompt, schema: type[T], /, **options: Unpack[ChatOptions]
    ) -> Result[T]:
        """Give a model's answer as a value of a schema. Not here yet.

        Errors:
            LLM_OPTION_UNSUPPORTED: always.
        """
        return failure(self._lacks("chat_structured", "ask for JSON by chat(), and read its text"))

    async def embed(
        self,
        texts: str | Iterable[str],
        /,
        *,
        model: str | None = None,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[list[list[float]]]:
        """Give a vector for each text. Not here yet.

        Errors:
            LLM_OPTION_UNSUPPORTED: always.
        """
        return failure(self._lacks("embed", "ask the provider's own client"))

    async def list_models(
        self, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[list[str]]:
        """Give the names of the models that the provider has. Not here yet.

        Errors:
            LLM_OPTION_UNSUPPORTED: always.
        """
        return failure(self._lacks("list_models", "look them up at the provider"))

    async def health(self) -> Result[None]:
        """Tell whether the client is open; asking a model costs money, so none is asked."""
        return failure(closed()) if self._is_closed else success()

    async def close(self) -> None:
        """Close the provider; every call after that is LLM_NOT_CONNECTED."""
        self._is_closed = True
        await self._provider.close()

    def _request(self, prompt: Prompt, options: ChatOptions) -> Result[ChatRequest]:
        if self._is_closed:
            return failure(closed())
        unknown = sorted(options.keys() - ChatOptions.__annotations__.keys())
        if unknown:
            return failure(_unknown(unknown[0]))
        try:
            messages = messages_of(prompt)
        except (TypeError, ValueError) as error:
            return failure(bad_request(str(error)))
        asked = self._asked(options)
        if isinstance(asked, Failure):
            return asked
        own = asked.value
        return success(
            ChatRequest(
                own.model, messages, own.max_tokens, own.temperature, options.get("stop", ())
            )
        )

    def _asked(self, options: ChatOptions) -> Result[LLMSettings]:
        """Read what a call says in place of the client's own settings, as those are read."""
        asked = {name: value for name, value in options.items() if name in _ASKED}
        if not asked:
            return success(self._settings)
        values = {**{name: getattr(self._settings, name) for name in _ASKED}, **asked}
        read = read_settings(LLMSettings, values, "the call", kind="llm", code=BAD_REQUEST)
        return read.map_error(lambda error: bad_request(error.message))

    def _lacks(self, what: str, hint: str) -> QiError:
        return closed() if self._is_closed else _not_yet(what, hint)


def fallback(first: LLMClient, /, *others: LLMClient) -> Result[LLMClient]:
    """Make a client that asks the next one where one fails before its first token. Not here yet.

    Errors:
        LLM_OPTION_UNSUPPORTED: always.
    """
    return failure(_not_yet("fallback", "ask the second client where the first gives a Failure"))


def _how(options: ChatOptions) -> dict[str, Any]:
    return {"timeout": options.get("timeout"), "policy": options.get("policy")}


async def _begin(
    provider: ChatProvider, request: ChatRequest
) -> Result[AsyncIterator[Result[Delta | Done]]]:
    """Begin a stream and read its first piece, so that a refusal can be retried."""
    begun = await provider.stream(request)
    if isinstance(begun, Failure):
        return begun
    events = begun.value
    try:
        first = await anext(events, None)
    except BaseException:
        await _closed_events(events)
        raise
    if first is None:
        return failure(truncated(0))
    if isinstance(first, Failure):
        await _closed_events(events)
        return first
    return success(_again(first, events))


async def _again(
    first: Result[Delta | Done], events: AsyncIterator[Result[Delta | Done]]
) -> AsyncIterator[Result[Delta | Done]]:
    try:
        yield first
        async for event in events:
            yield event
    finally:
        await _closed_events(events)


async def _texts(
    events: AsyncIterator[Result[Delta | Done]], ends: Deadline | None, idle: float
) -> AsyncIterator[Result[str]]:
    """Give the texts of a stream until its Done, within its deadline and never silent for long."""
    received = 0
    try:
        while True:
            remaining = idle if ends is None else min(idle, ends.remaining())
            try:
                async with asyncio.timeout(remaining):
                    event = await anext(events, None)
            except TimeoutError:
                yield failure(_late(ends, idle, received))
                return
            if event is None:
                yield failure(truncated(received))
                return
            if isinstance(event, Failure):
                yield failure(event.error.with_context(received_characters=received))
                return
            if isinstance(event.value, Done):
                return
            received += len(event.value.text)
            yield success(event.value.text)
    finally:
        await _closed_events(events)


async def _closed_events(events: AsyncIterator[Any]) -> None:
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()


def _late(ends: Deadline | None, idle: float, received: int) -> QiError:
    if ends is not None and ends.expired:
        message = "the answer was not complete by its deadline"
    else:
        message = f"the model said nothing for {idle:g} s"
    return llm_error(TIMEOUT, message, received_characters=received)


def _not_yet(what: str, hint: str) -> QiError:
    return unsupported(f"{what} is not here yet", hint, operation=what)


def _unknown(option: str) -> QiError:
    hint = f"its options are {', '.join(ChatOptions.__annotations__)}"
    return unsupported(f"a call takes no option {option!r}, or not yet", hint, option=option)
