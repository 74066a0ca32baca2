"""What is said to a model and what it answers, as values that no vendor has a say in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = [
    "ChatReply",
    "ChatRequest",
    "Delta",
    "Done",
    "Finish",
    "Message",
    "Prompt",
    "Usage",
    "assistant",
    "messages_of",
    "system",
    "user",
]

Role: TypeAlias = Literal["system", "user", "assistant"]
Finish: TypeAlias = Literal["stop", "length", "content_filter", "tool_calls", "unknown"]


@final
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks.
        text: what is said.
    """

    role: Role
    text: str


Prompt: TypeAlias = str | Message | Iterable[Message]
"""What a call takes: a text (the user says it), a message, or a conversation."""


def system(text: str, /) -> Message:
    """Make what sets the model up."""
    return Message("system", text)


def user(text: str, /) -> Message:
    """Make what the user says."""
    return Message("user", text)


def assistant(text: str, /) -> Message:
    """Make what the model said."""
    return Message("assistant", text)


def messages_of(prompt: Prompt, /) -> tuple[Message, ...]:
    """Give a prompt as messages; an empty one, or one of other things, is a ValueError."""
    if isinstance(prompt, str):
        prompt = user(prompt)
    messages = (prompt,) if isinstance(prompt, Message) else tuple(prompt)
    if not messages or not all(isinstance(message, Message) for message in messages):
        raise ValueError("a prompt is a text, a Message, or Messages, and not empty")
    return messages


@final
@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took, in tokens as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0


@final
@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call, whole: what a provider is sent.

    Attributes:
        model: the provider's name of the model.
        messages: the conversation so far.
        max_tokens: how many tokens the answer may have; None is the provider's default.
        temperature: how freely to choose, 0.0 to 2.0; None is the provider's default.
        stop: texts that end the answer.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class ChatReply:
    """A model's answer.

    Attributes:
        text: what it said.
        finish: why it stopped.
        usage: what it took.
        model: which model answered.
        request_id: the provider's name of the call, for its support; empty where it gives none.
    """

    text: str
    finish: Finish
    usage: Usage
    model: str
    request_id: str = ""


@final
@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer that is being given."""

    text: str


@final
@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer that was given whole."""

    finish: Finish
    usage: Usage
