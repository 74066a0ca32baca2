"""The configuration that verbs are given: files, their profile, the environment."""

from __future__ import annotations

from os.path import exists, splitext

from qicore_core import ConfigData, Failure, QiError, collect, failure
from qicore_core.codes import CONFIG_FILE_NOT_FOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from qicore_core import Result

    from .usage import Arguments

__all__ = ["OPTIONS", "read_configuration"]

OPTIONS: Final = ("--env", "--profile")


def read_configuration(files: list[str], arguments: Arguments, /) -> Result[ConfigData]:
    """Read files, for each its profile's, then the environment; the later one wins.

    Errors:
        CONFIG_FILE_NOT_FOUND, CONFIG_PARSE_ERROR, ...: as `ConfigData` has them.
    """
    profile, prefix = arguments.option("--profile"), arguments.option("--env")
    of_profile = [f"{stem}.{profile}{ending}" for stem, ending in map(splitext, files)]
    if profile and not any(map(exists, of_profile)):
        return failure(
            QiError.configuration(
                CONFIG_FILE_NOT_FOUND,
                f"no file has the profile {profile!r}: there is no {' and no '.join(of_profile)}",
                hint="check the profile's name, or write the file",
                profile=profile,
            )
        )

    def parts() -> Iterator[Result[ConfigData]]:
        for file, special in zip(files, of_profile, strict=True):
            yield _read(file, prefix)
            if profile and exists(special):
                yield _read(special, prefix)
        if prefix is not None:
            yield ConfigData.from_environment(prefix)

    read = collect(parts())
    return read if isinstance(read, Failure) else read.map(ConfigData.merge)


def _read(file: str, prefix: str | None) -> Result[ConfigData]:
    if prefix is not None and file.endswith(".env"):
        return ConfigData.from_dotenv(file, prefix)
    return ConfigData.from_file(file)
