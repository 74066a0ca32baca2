"""`echo:`, the embedded provider: deterministic, offline, and able to fail in each way.

It says back what the user said. A model of the name of a code fails with it
(`echo:LLM_RATE_LIMIT`), `echo:truncated` breaks a stream off in the middle, and `echo:slow` never
says its second word: what a program does then can be tried without a network, an account or a bill.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, final

from qicore_core import QiError, Result, failure, success

from .errors import CODES, MODEL_NOT_FOUND, RATE_LIMIT, llm_error
from .message import ChatReply, ChatRequest, Delta, Done, Finish, Usage

__all__ = ["EchoProvider", "unknown"]

MODELS: Final = ("", "truncated", "slow", *CODES)


@final
class EchoProvider:
    """Answers with the last thing that the user said."""

    __slots__ = ()

    async def chat(self, request: ChatRequest, /) -> Result[ChatReply]:
        """Give the whole answer."""
        refused = _refused(request)
        if refused is not None:
            return failure(refused)
        if request.model == "slow":
            await asyncio.Event().wait()
        words, finish = _answer(request)
        usage = _usage(request, words)
        return success(ChatReply(" ".join(words), finish, usage, "echo", "echo-1"))

    async def stream(self, request: ChatRequest, /) -> Result[AsyncIterator[Result[Delta | Done]]]:
        """Give the answer word by word."""
        refused = _refused(request)
        return success(_pieces(request)) if refused is None else failure(refused)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def unknown(model: str, /) -> QiError | None:
    """Say that there is no such model, where there is none."""
    if model in MODELS:
        return None
    return llm_error(
        MODEL_NOT_FOUND,
        f"echo has no model {model!r}",
        hint=f"leave it out, or name one of {', '.join(MODELS[1:4])}, ...",
    )


async def _pieces(request: ChatRequest) -> AsyncIterator[Result[Delta | Done]]:
    words, finish = _answer(request)
    for number, word in enumerate(words):
        if number == 1 and request.model == "truncated":
            return
        if number == 1 and request.model == "slow":
            await asyncio.Event().wait()
        yield success(Delta(word if number == 0 else f" {word}"))
    yield success(Done(finish, _usage(request, words)))


def _answer(request: ChatRequest) -> tuple[list[str], Finish]:
    said = next((one.text for one in reversed(request.messages) if one.role == "user"), "")
    text = f"echo: {said}"
    for stop in request.stop:
        text = text.partition(stop)[0]
    words = text.split()
    limit = request.max_tokens
    if limit is not None and len(words) > limit:
        return words[:limit], "length"
    return words, "stop"


def _usage(request: ChatRequest, words: list[str]) -> Usage:
    return Usage(sum(len(message.text.split()) for message in request.messages), len(words))


def _refused(request: ChatRequest) -> QiError | None:
    if request.model in CODES:
        return llm_error(
            request.model,
            f"echo fails with {request.model}, as its model says",
            retry_after=0.01 if request.model == RATE_LIMIT else None,
        )
    return unknown(request.model)
