"""Configuration: `ConfigData` is what was said, by whom; `Configuration` reads it as a type."""

from __future__ import annotations

from .data import ConfigData
from .load import load, load_data
from .origin import Explanation, Said
from .schema import Configuration

__all__ = ["ConfigData", "Configuration", "Explanation", "Said", "load", "load_data"]
