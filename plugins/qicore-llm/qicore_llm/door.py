"""The door: `open_llm("provider:model")` finds the provider and puts the client on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from qicore_core import Failure, Kind, Opening, Parts, Policy, Result, Secret, success
from qicore_core.config.settings import read_settings
from qicore_core.plugins import choose, open_port

from .client import LLMClient
from .errors import SETTINGS_INVALID
from .provider import ChatProvider
from .settings import DEFAULT_POLICY, LLMSettings

__all__ = ["LLM", "open_llm"]


def open_llm(
    url: str | None = None,
    /,
    *,
    api_key: str | Secret[str] | None = None,
    base_url: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    idle_timeout: float = 30.0,
    policy: Policy | None = None,
    parts: Parts | None = None,
    **settings: object,
) -> Opening[LLMClient]:
    """Open a client of a language model, for `async with` or `await`.

    Args:
        url: provider and model, "echo:", "openai:gpt-x"; None is the only provider installed
            besides `echo`.
        api_key: the provider's key; it is kept as a Secret.
        base_url: where the provider is, for those that are compatible.
        max_tokens: how many tokens an answer may have.
        temperature: how freely to choose, 0.0 to 2.0.
        idle_timeout: seconds that a stream may say nothing.
        policy: how calls are made; None is two attempts and 60 seconds in all.
        parts: the clock, random and logger that the client and its provider use.
        settings: the provider's own, as its README lists them.

    Errors:
        LLM_SETTINGS_INVALID: settings are wrong; the message names each.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such provider, or there are several.
    """
    if api_key is not None:
        settings["api_key"] = api_key if isinstance(api_key, Secret) else Secret(api_key)
    if base_url is not None:
        settings["base_url"] = base_url
    own = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "idle_timeout": idle_timeout,
        "policy": policy or DEFAULT_POLICY,
    }
    return _opening(url, {**settings, **own}, parts or Parts())


def _opening(
    url: str | None, settings: Mapping[str, object], parts: Parts, /
) -> Opening[LLMClient]:
    """Take our settings out of all that are said; the rest is the provider's."""

    async def start() -> Result[LLMClient]:
        known = {field.name for field in fields(LLMSettings)}
        ours = {name: value for name, value in settings.items() if name in known}
        rest = {name: value for name, value in settings.items() if name not in known}
        values = {"model": str(url or "").partition(":")[2], **ours}
        own = read_settings(LLMSettings, values, "llm", kind="llm", code=SETTINGS_INVALID)
        if isinstance(own, Failure):
            return own
        named = choose(LLM.name, parts.plugins) if url is None else success(str(url))
        if isinstance(named, Failure):
            return named
        scheme = named.value.partition(":")[0]
        where = f"{scheme}:" if url is None else named.value
        provider = await open_port(LLM, scheme, where, rest, parts)
        return provider.map(lambda opened: LLMClient(opened, own.value, parts))

    return Opening(start)


LLM: Final[Kind[ChatProvider, LLMClient]] = Kind("llm", _opening)
"""The kind that providers register under: `registry.add(LLM, "openai", open_provider)`."""
