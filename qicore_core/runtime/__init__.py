"""Configuration in, opened adapters out: what a program stands on is opened and stopped here."""

from __future__ import annotations

from .runtime import Runtime

__all__ = ["Runtime"]
