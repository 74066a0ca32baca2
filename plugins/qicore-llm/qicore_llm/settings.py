"""What can be set on a client of language models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from qicore_core import Policy, Secret

__all__ = ["DEFAULT_POLICY", "EchoSettings", "LLMSettings"]

DEFAULT_POLICY: Final = Policy(retry=2, timeout=60.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LLMSettings:
    """How a client behaves, whatever model it calls.

    Attributes:
        model: the provider's name of the model, unless a call names another.
        max_tokens: how many tokens an answer may have; None is the provider's default.
        temperature: how freely to choose, 0.0 to 2.0; None is the provider's default.
        idle_timeout: seconds that a stream may say nothing.
        policy: how calls are made; a model is called at most twice, and never again after its
            first piece.
    """

    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    idle_timeout: float = 30.0
    policy: Policy = DEFAULT_POLICY

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens is at least 1, got {self.max_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ValueError(f"temperature is from 0.0 to 2.0, got {self.temperature}")
        if not 0.0 < self.idle_timeout < float("inf"):
            raise ValueError(f"idle_timeout is seconds above 0, got {self.idle_timeout}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EchoSettings:
    """What `echo:` takes.

    Attributes:
        api_key: left alone, so that a program can be tried with the settings of another provider.
    """

    api_key: Secret[str] | None = None
