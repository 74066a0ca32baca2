"""The codes that the command gives."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

COMMAND_MISUSED: Final = "COMMAND_MISUSED"
"""UNSUPPORTED: the command line is none that the command `qicore` knows.

The hint is the usage; `qicore --help` lists all verbs."""

CODE_UNKNOWN: Final = "CODE_UNKNOWN"
"""NOT_FOUND: `qicore explain` was asked for a code that nothing installed gives.

The hint is the nearest code. A code of an application is explained by that application."""

KIT_MISSING: Final = "KIT_MISSING"
"""CONFIGURATION: laws were to be run, and what runs them is not installed.

pip install 'qicore[testing]'"""
