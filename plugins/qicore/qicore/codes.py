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

OUTPUT_FAILED: Final = "OUTPUT_FAILED"
"""EXHAUSTED: what the command prints could not be written, and part of it may be lost.

Is the disk full? A pipe that its reader has closed is no error: the exit status is 141."""
