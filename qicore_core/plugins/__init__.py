"""Plugins: what is installed, what may be imported, and how one is loaded."""

from __future__ import annotations

from .index import Listed, index, reset
from .load import Loaded, call_hook, choose, find, hook_modules, load, misfit
from .manager import manager
from .policy import PluginPolicy
from .port import open_port

__all__ = [
    "Listed",
    "Loaded",
    "PluginPolicy",
    "call_hook",
    "choose",
    "find",
    "hook_modules",
    "index",
    "load",
    "manager",
    "misfit",
    "open_port",
    "reset",
]
