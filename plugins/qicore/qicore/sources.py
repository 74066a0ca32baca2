"""The configuration that verbs are given: files, their profile, the environment."""

from __future__ import annotations

from qicore_core.config import load_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from qicore_core import ConfigData, Result

    from .usage import Arguments

__all__ = ["OPTIONS", "read_configuration"]

OPTIONS: Final = ("--env", "--profile")


def read_configuration(files: list[str], arguments: Arguments, /) -> Result[ConfigData]:
    """Read files, for each its profile's, then the environment; errors as `load_data`."""
    env, profile = arguments.option("--env"), arguments.option("--profile")
    return load_data(*files, env=env, profile=profile)
