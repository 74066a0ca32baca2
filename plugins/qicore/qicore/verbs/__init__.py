"""The verbs of the command, one module each, imported when one is asked for."""

from __future__ import annotations
