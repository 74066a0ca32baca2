"""What this distribution brings to the plugin system: the kind itself, and `echo:`."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import (
    Failure,
    Opening,
    Parts,
    PluginInfo,
    Registry,
    Result,
    failure,
    hookimpl,
    success,
)
from qicore_core.config.settings import read_settings

from .door import LLM
from .echo import EchoProvider, unknown
from .errors import SETTINGS_INVALID
from .provider import ChatProvider
from .settings import EchoSettings, LLMSettings

__all__ = ["open_provider", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `echo:` is."""
    info.summary = (
        "says back what the user said: deterministic, offline, and able to fail on request"
    )
    info.settings = {"api_key": "left alone, as it asks no one"}


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `echo:`."""
    registry.add(LLM, "echo", open_provider)


def open_provider(
    url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[ChatProvider]:
    """Open the provider; an api key is left alone, any other setting is refused.

    Errors:
        LLM_SETTINGS_INVALID: it has no such setting, or the key is none.
        LLM_MODEL_NOT_FOUND: it has no such model.
    """

    async def start() -> Result[ChatProvider]:
        read = read_settings(
            EchoSettings, settings, "echo:", kind="llm", code=SETTINGS_INVALID, also=[LLMSettings]
        )
        if isinstance(read, Failure):
            return read
        refused = unknown(url.partition(":")[2])
        return success(EchoProvider()) if refused is None else failure(refused)

    return Opening(start)
