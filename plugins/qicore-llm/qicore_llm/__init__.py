"""qicore-llm: one client for every language model, and `echo:`."""

from __future__ import annotations

from .client import ChatOptions, LLMClient, fallback
from .door import LLM, open_llm
from .message import (
    ChatReply,
    ChatRequest,
    Delta,
    Done,
    Message,
    Usage,
    assistant,
    system,
    user,
)
from .provider import ChatProvider

__version__ = "0.1.0"
__all__ = [
    "LLM",
    "ChatOptions",
    "ChatProvider",
    "ChatReply",
    "ChatRequest",
    "Delta",
    "Done",
    "LLMClient",
    "Message",
    "Usage",
    "__version__",
    "assistant",
    "fallback",
    "open_llm",
    "system",
    "user",
]
