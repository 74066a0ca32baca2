"""The one-liner: files, environment and arguments read as a schema, all trouble at once."""

from __future__ import annotations

from os import fspath
from os.path import exists, splitext

from ..codes import CONFIG_FILE_NOT_FOUND, CONFIG_VALIDATION_FAILED
from ..combine import partition
from ..error import QiError
from ..result import failure, success
from .data import ConfigData
from .schema import Configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike
    from typing import TypeVar

    from ..result import Result

    T = TypeVar("T")

__all__ = ["load"]


def load(
    schema: type[T],
    /,
    *files: str | PathLike[str],
    env: str | None = None,
    args: Iterable[str] = (),
    defaults: Mapping[str, object] | ConfigData | None = None,
    profile: str | None = None,
    ignore_unknown: bool = False,
) -> Result[T]:
    """Read a schema from defaults, files, environment and arguments: the later one wins.

    Args:
        schema: a dataclass, or a class that a plugin knows to read.
        files: each must be there; one whose name ends in ".env" is read for the variables of `env`.
        env: the prefix of the environment variables, "APP_"; None reads none.
        args: such as "db.host=x" or "--db.host=x".
        defaults: what holds where nothing else is said.
        profile: reads app.production.toml after app.toml, for each file that has one.
        ignore_unknown: leave keys alone that the schema does not have.

    Returns:
        The schema's instance. Where sources cannot be read, a Failure of that: of one its own
        error, of several an aggregate; else what `Configuration.from_data` gives.

    Errors:
        CONFIG_FILE_NOT_FOUND: a file is missing, or none has the profile.
        CONFIG_VALIDATION_FAILED: several sources cannot be read, or values do not fit the schema.
    """
    parts = _parts(files, env, args, defaults, profile)
    sources, errors = partition(parts)
    if len(errors) == 1:
        return failure(errors[0])
    if errors:
        return failure(QiError.aggregate(errors, code=CONFIG_VALIDATION_FAILED))
    configuration = Configuration(schema, ignore_unknown=ignore_unknown)
    return configuration.from_data(ConfigData.merge(sources))


def _parts(
    files: Iterable[str | PathLike[str]],
    env: str | None,
    args: Iterable[str],
    defaults: Mapping[str, object] | ConfigData | None,
    profile: str | None,
) -> Iterator[Result[ConfigData]]:
    if isinstance(defaults, ConfigData):
        yield success(defaults)
    elif defaults is not None:
        yield ConfigData.from_object(defaults, "defaults")
    sought: list[str] = []
    found = False
    for file in [fspath(file) for file in files]:
        yield _read(file, env)
        if profile:
            stem, ending = splitext(file)
            sought.append(f"{stem}.{profile}{ending}")
            if exists(sought[-1]):
                found = True
                yield _read(sought[-1], env)
    if profile and not found:
        yield failure(_no_profile(profile, sought))
    if env is not None:
        yield ConfigData.from_environment(env)
    arguments = list(args)
    if arguments:
        yield ConfigData.from_args(arguments)


def _read(file: str, env: str | None) -> Result[ConfigData]:
    if env is not None and file.endswith(".env"):
        return ConfigData.from_dotenv(file, env)
    return ConfigData.from_file(file)


def _no_profile(profile: str, sought: list[str]) -> QiError:
    return QiError.configuration(
        CONFIG_FILE_NOT_FOUND,
        f"no file has the profile {profile!r}: there is no {' and no '.join(sought) or 'file'}",
        hint="check the profile's name, or write the file",
        profile=profile,
    )
