"""What can be set on a client of language models, and the one place that checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from qicore_core import Policy, Result, failure, success

from .errors import llm_error

__all__ = ["DEFAULT_POLICY", "LLMSettings"]

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
        policy: how calls are made; a model is called at most twice, and never again after its first
            piece.
    """

    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    idle_timeout: float = 30.0
    policy: Policy = DEFAULT_POLICY

    def check(self) -> Result[None]:
        """Say what is wrong with the settings.

        Errors:
            LLM_SETTINGS_INVALID: which one, and what would be right.
        """
        tokens, heat = self.max_tokens, self.temperature
        for name, value, is_right, wanted in (
            ("max_tokens", tokens, tokens is None or tokens >= 1, "a whole number above 0"),
            ("temperature", heat, heat is None or 0.0 <= heat <= 2.0, "from 0.0 to 2.0"),
            ("idle_timeout", self.idle_timeout, self.idle_timeout > 0.0, "seconds above 0"),
        ):
            if not is_right:
                message = f"the llm setting {name} is wrong: {wanted}, got {value!r}"
                return failure(llm_error("LLM_SETTINGS_INVALID", message, setting=name))
        return success()
