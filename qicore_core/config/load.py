"""The one-liners: files, environment and arguments merged, or read as a schema at once."""

from __future__ import annotations

from os import fspath
from os.path import exists, splitext

from .. import codes
from ..combine import partition
from ..result import failure, success
from .data import ConfigData
from .schema import Configuration
from .trouble import config_error, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike
    from typing import TypeVar

    from ..result import Result

    T = TypeVar("T")

__all__ = ["load", "load_data"]


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
        files, env, args, defaults, profile: as `load_data` takes them.
        ignore_unknown: leave keys alone that the schema does not have.

    Returns:
        The schema's instance, or the Failure of `load_data` or of `Configuration.from_data`.
    """
    data = load_data(*files, env=env, args=args, defaults=defaults, profile=profile)
    return data.flat_map(Configuration(schema, ignore_unknown=ignore_unknown).from_data)


def load_data(
    *files: str | PathLike[str],
    env: str | None = None,
    args: Iterable[str] = (),
    defaults: Mapping[str, object] | ConfigData | None = None,
    profile: str | None = None,
) -> Result[ConfigData]:
    """Merge defaults, files, environment and arguments, as `Runtime.open` takes them.

    Args:
        files: each must be there; one whose name ends in ".env" is read for the variables of `env`.
        env: the prefix of the environment variables, "APP_"; None reads none.
        args: such as "db.host=x" or "--db.host=x".
        defaults: what holds where nothing else is said.
        profile: reads app.production.toml after app.toml, for each file that has one.

    Returns:
        The data. Where sources cannot be read, a Failure of that: of one its own error, of several
        an aggregate.

    Errors:
        CONFIG_FILE_NOT_FOUND: a file is missing, or none has the profile.
        CONFIG_VALIDATION_FAILED: several sources cannot be read.
    """

    def parts() -> Iterator[Result[ConfigData]]:
        if isinstance(defaults, ConfigData):
            yield success(defaults)
        elif defaults is not None:
            yield ConfigData.from_object(defaults, "defaults")
        profiled = [f"{stem}.{profile}{ending}" for stem, ending in map(splitext, names)]
        for name, special in zip(names, profiled, strict=True):
            yield _read(name, env)
            if profile and exists(special):
                yield _read(special, env)
        if profile and not any(map(exists, profiled)):
            missing = " and no ".join(profiled) or "file"
            said = f"no file has the profile {profile!r}: there is no {missing}"
            hint = "check the profile's name, or write the file"
            yield failure(config_error(codes.CONFIG_FILE_NOT_FOUND, said, hint, profile=profile))
        if env is not None:
            yield ConfigData.from_environment(env)
        arguments = list(args)
        if arguments:
            yield ConfigData.from_args(arguments)

    names = [fspath(file) for file in files]
    sources, errors = partition(parts())
    if errors:
        one = len(errors) == 1
        return failure(errors[0] if one else several(errors, codes.CONFIG_VALIDATION_FAILED))
    return success(ConfigData.merge(sources))


def _read(file: str, env: str | None) -> Result[ConfigData]:
    if env is not None and file.endswith(".env"):
        return ConfigData.from_dotenv(file, env)
    return ConfigData.from_file(file)
