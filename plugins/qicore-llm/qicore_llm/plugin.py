"""What this distribution brings to the plugin system: the kind itself, and `echo:`."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Opening, Parts, PluginInfo, Registry, Result, failure, hookimpl, success

from .door import LLM
from .echo import EchoProvider
from .errors import llm_error
from .provider import ChatProvider

__all__ = ["open_provider", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `echo:` is."""
    info.summary = (
        "says back what the user said: deterministic, offline, and able to fail on request"
    )


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `echo:`."""
    registry.add(LLM, "echo", open_provider)


def open_provider(
    url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[ChatProvider]:
    """Open the provider; an api key is left alone, any other setting is refused.

    Errors:
        LLM_SETTINGS_INVALID: it has no such setting.
    """

    async def start() -> Result[ChatProvider]:
        other = [name for name in settings if name != "api_key"]
        if other:
            message = f"echo has no setting {other[0]!r}"
            return failure(llm_error("LLM_SETTINGS_INVALID", message, setting=other[0]))
        return success(EchoProvider())

    return Opening(start)
