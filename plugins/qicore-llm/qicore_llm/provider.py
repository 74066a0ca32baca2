"""The narrow protocol: what an author of a provider implements.

A provider turns a request into its vendor's call and the answer back. Prompts, retries, deadlines,
the rules of streams and events belong to `LLMClient` and are the same for every provider.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from qicore_core import Result

from .message import ChatReply, ChatRequest, Delta, Done

__all__ = ["ChatProvider"]


class ChatProvider(Protocol):
    """Calls one vendor; what goes wrong is a Failure with a code of `errors.CODES`.

    An option that the vendor cannot honour is LLM_OPTION_UNSUPPORTED, never dropped.
    """

    async def chat(self, request: ChatRequest, /) -> Result[ChatReply]:
        """Give the whole answer."""
        ...

    async def stream(self, request: ChatRequest, /) -> Result[AsyncIterator[Result[Delta | Done]]]:
        """Begin an answer and give its pieces, an async generator as a rule.

        The first piece has arrived when this returns, so that what is refused is refused here. The
        last piece is a `Done` or a Failure; an iterator that ends without either is taken as cut
        short.
        """
        ...

    async def close(self) -> None:
        """Close every connection; twice does no harm."""
