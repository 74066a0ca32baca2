"""Plugins: what is installed, what may be imported, and how one is loaded."""

from __future__ import annotations

from .faults import no_setting
from .index import Listed, index, reset
from .load import Loaded, call_hook, choose, find, hook_modules, load, misfit, open_port
from .manager import manager
from .policy import PluginPolicy

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
    "no_setting",
    "open_port",
    "reset",
]
