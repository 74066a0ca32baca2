"""pluggy's own manager over our hooks, for programs that use plugins as pluggy does."""

from __future__ import annotations

from .. import codes, hookspecs
from ..error import QiError
from ..result import failure, success
from .load import hook_modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pluggy import PluginManager

    from ..result import Result
    from .policy import PluginPolicy

__all__ = ["manager"]


def manager(policy: PluginPolicy | None = None, /) -> Result[PluginManager]:
    """Give a `pluggy.PluginManager` with our specifications and the plugins of hooks.

    Each is registered by the name of its module. One that does not load, or whose hooks do not fit
    their specification, is left out; `hook_modules` and `qicore plugins doctor` say why.

    Errors:
        PLUGGY_MISSING: pluggy is not installed; the core does not need it for anything else.
    """
    try:
        import pluggy
    except ModuleNotFoundError as exception:
        return failure(
            QiError.configuration(
                codes.PLUGGY_MISSING,
                "a plugin manager needs pluggy, which is not installed",
                cause=exception,
                hint="pip install 'qicore-core[plugins]'",
                source="plugins",
            )
        )
    made = pluggy.PluginManager("qicore")
    made.add_hookspecs(hookspecs)
    for loaded in hook_modules(policy)[0]:
        try:
            made.register(loaded.module, loaded.listed.module)
        except pluggy.PluginValidationError:
            made.unregister(name=loaded.listed.module)  # older ones keep half of it
    return success(made)
