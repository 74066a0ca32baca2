"""All of QiCore behind one import: `import qicore as qi`.

A window and nothing else: a name is looked up where it lives when it is first asked for, so that
the import costs no more than the core's own. Libraries import `qicore_core` or a domain.

>>> import qicore as qi
>>> qi.success(20).map(lambda n: n + 1).unwrap()
21
"""

from __future__ import annotations

import qicore_core

__version__ = "0.1.0"

# Where names live besides the core, by the module of each domain. A domain has a line here, and two
# for checkers below: `from qicore_cache import *` and `__all__ += qicore_cache.__all__`.
_HOMES: dict[str, tuple[str, ...]] = {}

__all__: list[str] = []

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qicore_core import *  # noqa: F403 (checkers see every name of the core, with its type)

    __all__ += qicore_core.__all__
else:
    _HOME_OF = dict.fromkeys(qicore_core.__all__, "qicore_core") | {
        name: module for module, names in _HOMES.items() for name in names
    }
    __all__.extend(sorted(_HOME_OF))

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(__import__(home), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
