"""The error itself: `QiError`, made by the factory of its category and read-only from then on.

It is an exception, so that `raise`, `raise ... from`, TaskGroup and pickle treat it well, and a
value, so that a Failure can hold it. It is no dataclass: a frozen one breaks under
`@contextmanager` and in pickle. Its fields sit in private slots behind read-only properties, which
costs a third of what a `__setattr__` that refuses would.
"""

from __future__ import annotations

from operator import attrgetter

from ..codes import MULTIPLE_ERRORS, UNEXPECTED_EXCEPTION
from ..secret import Redactor, redact_text
from .category import ErrorCategory
from .chain import MAX_DEPTH, cut, links, shallow
from .factory import factory
from .foreign import category_of, leaves, name_of, place_of, release, repr_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, ClassVar, Final, NoReturn, Self, final

    from .factory import Factory
else:
    from ..lean import final


__all__ = ["QiError", "again", "make_error"]

PARTS: Final = (
    "code", "message", "category", "source", "context", "cause", "errors", "retryable",
    "retry_after", "hint", "public_message", "timestamp",
)  # fmt: skip
_MAX_SHOWN: Final = 100  # values of a context, in a repr
_NOTHING: Final[dict[str, object]] = {}
_MappingProxy: Final[Any] = type(type.__dict__)


def _part(name: str, doc: str) -> Any:
    return property(attrgetter(f"_{name}"), doc=doc)


@final
class QiError(Exception):
    """Say what happened, whether to retry it, which status it is and what may be shown.

    Make one by the factory of its category, `QiError.validation(code, message, /, *, cause, hint,
    retryable, retry_after, public_message, source, **context)` and so on for each; the guide's
    `cache`, `filesystem`, `database` and `http` set the source as well. All is read-only:
    `with_context` and `with_cause` make a new one.

    >>> error = QiError.validation("PORT_INVALID", "port must be digits, got 'x'", field="port")
    >>> error.code, error.category, error.retryable, error.context["field"]
    ('PORT_INVALID', ErrorCategory.VALIDATION, False, 'port')

    Two errors are equal when code, message, category, source, context and the cause's (type name,
    text) are; never by time or traceback. Context and texts are redacted on the way out (`str`,
    `repr`, `to_dict`, logs); they are raw in the properties and in a pickle.
    """

    __slots__ = tuple([f"_{part}" for part in sorted(PARTS)])
    __match_args__ = ("code", "category")
    __module__ = "qicore_core.error"

    _context: Mapping[str, object]
    _public_message: str | None
    _retryable: bool | None

    validation: ClassVar[Factory]
    not_found: ClassVar[Factory]
    conflict: ClassVar[Factory]
    authentication: ClassVar[Factory]
    permission: ClassVar[Factory]
    rate_limited: ClassVar[Factory]
    timeout: ClassVar[Factory]
    network: ClassVar[Factory]
    unavailable: ClassVar[Factory]
    exhausted: ClassVar[Factory]
    contention: ClassVar[Factory]
    cancelled: ClassVar[Factory]
    unsupported: ClassVar[Factory]
    configuration: ClassVar[Factory]
    bad_data: ClassVar[Factory]
    internal: ClassVar[Factory]
    unknown: ClassVar[Factory]
    cache: ClassVar[Factory]
    filesystem: ClassVar[Factory]
    database: ClassVar[Factory]
    http: ClassVar[Factory]

    def __new__(cls, *_: object) -> Self:
        """Refuse: an error is made by the factory of its category."""
        raise TypeError(
            "make a QiError by the factory of its category: QiError.validation(code, message, ...)"
        )

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError(
            "QiError is final: say what happened by code and category, not by a subclass"
        )

    code: Final[str] = _part("code", "The stable name of what happened, in UPPER_SNAKE.")
    message: Final[str] = _part("message", "What happened, for those who run the program.")
    category: Final[ErrorCategory] = _part(
        "category", "What kind of trouble, and all that follows."
    )
    source: Final[str | None] = _part("source", 'Where: "cache", "http", a plugin\'s name.')
    cause: Final[BaseException | None] = _part("cause", "A QiError or the vendor's exception.")
    errors: Final[tuple[QiError, ...]] = _part("errors", "What an aggregate holds, else empty.")
    timestamp: Final[float] = _part("timestamp", "When it was made: seconds since the epoch.")
    retry_after: Final[float | None] = _part("retry_after", "Seconds the other side asked to wait.")
    hint: Final[str | None] = _part("hint", "What to do next.")

    @property
    def context(self) -> Mapping[str, object]:
        """The facts around it, raw and read-only."""
        proxy: Mapping[str, object] = _MappingProxy(self._context)
        return proxy

    @property
    def retryable(self) -> bool:
        """Whether another attempt is worth it: as given, else as the category says."""
        return self.category.retryable if self._retryable is None else self._retryable

    @property
    def public_message(self) -> str:
        """What a stranger may read: as given, else the category's text, else the message."""
        given = self._public_message or self.category.public_message
        return redact_text(given or self.message)

    def with_context(
        self, mapping: Mapping[str, object] | None = None, /, **fields: object
    ) -> QiError:
        """Make the same error with more context; on a clash the new value wins.

        >>> QiError.internal("X", "x", a=1).with_context({"b": 2}, a=3).context["a"]
        3
        """
        return again(self, context={**self._context, **(mapping or _NOTHING), **fields})

    def with_cause(self, cause: BaseException, /) -> QiError:
        """Make the same error with this cause in place of its own."""
        return again(self, cause=cause)

    @staticmethod
    def from_exception(
        exception: BaseException, /, *, code: str | None = None, source: str | None = None
    ) -> QiError:
        """Turn any exception into a QiError: itself if it is one, an aggregate if a group.

        The category follows the builtin type where that says enough (TimeoutError, ConnectionError,
        FileNotFoundError, PermissionError, MemoryError), else it is UNKNOWN. `context["at"]` says
        where it was raised.

        Errors:
            UNEXPECTED_EXCEPTION: its code unless `code` is given.
        """
        if isinstance(exception, QiError):
            return exception
        if isinstance(exception, BaseExceptionGroup):
            error = QiError.from_exception_group(exception)
            return again(error, code=code or error.code, source=source)
        text, at = text_of(exception), place_of(exception)
        message = f"{name_of(exception)}: {text}" if text else name_of(exception)
        context = {"at": at} if at else _NOTHING
        return make_error(
            code or UNEXPECTED_EXCEPTION,
            message,
            category_of(exception),
            source,
            context,
            exception,
        )

    @staticmethod
    def aggregate(
        errors: Iterable[QiError], /, *, code: str = MULTIPLE_ERRORS, message: str | None = None
    ) -> QiError:
        """Make one error that holds several, in their order.

        Its category is theirs where all agree, else UNKNOWN; it is retryable when all are. Where
        aggregates and causes lie more than 32 deep in each other, one goes without what it holds.

        Args:
            errors: at least one: none is a ValueError, as there is then nothing to report.
            code: what the whole is called.
            message: by default how many there are, and what the first five say.
        """
        held = tuple(errors)
        if not held:
            raise ValueError("QiError.aggregate needs at least one error")
        one = (
            held[0].category
            if len({error.category for error in held}) == 1
            else ErrorCategory.UNKNOWN
        )
        said = message or f"{len(held)} errors: " + "; ".join(
            [f"{e.code}: {e.message}" for e in held[:5]]
        )
        return make_error(
            code, said, one, errors=held, retryable=all(error.retryable for error in held)
        )

    def to_exception_group(self) -> ExceptionGroup[QiError]:
        """Give an aggregate as an ExceptionGroup, for `except*`; another as a group of itself."""
        return ExceptionGroup(str(self), self.errors or (self,))

    @staticmethod
    def from_exception_group(group: BaseExceptionGroup[BaseException], /) -> QiError:
        """Make an aggregate of a group's leaves, each as `from_exception` gives it.

        A group that holds a cancellation, KeyboardInterrupt or SystemExit is raised again: those
        are no failures.
        """
        found = list(leaves(group))
        if not all(isinstance(leaf, Exception) for leaf in found):
            raise group
        return QiError.aggregate(map(QiError.from_exception, found))

    def chain(self) -> Iterator[BaseException]:
        """Walk back to where it began: itself, its cause, the cause's cause; ten at most."""
        for _, link in zip(range(MAX_DEPTH + 1), links(self), strict=False):
            yield link

    @property
    def root(self) -> BaseException:
        """The last of the chain: what it all began with."""
        return list(links(self))[-1]

    def to_dict(self) -> dict[str, object]:
        """Give it as JSON-ready data, redacted and bounded: of `errors` the first hundred.

        What JSON cannot hold appears as its repr.
        """
        from .wire import to_dict  # late: most errors never travel

        return to_dict(self)

    @staticmethod
    def from_dict(data: Mapping[str, object], /) -> QiError:
        """Read what `to_dict` gave; a ValueError names what does not fit."""
        from .wire import from_dict  # late, as above

        return from_dict(data)

    def to_string(self) -> str:
        """Say it in one line: code, message, source, hint and causes, redacted.

        >>> QiError.cache("CACHE_TIMEOUT", "no answer in 5 s", hint="is the server up?").to_string()
        'CACHE_TIMEOUT: no answer in 5 s [cache]; is the server up?'
        """
        said = [f"{self} [{redact_text(self.source)}]" if self.source else str(self)]
        if self.hint:
            said.append(redact_text(self.hint))
        for link in list(self.chain())[1:]:
            said.append(
                f"from {link}"
                if isinstance(link, QiError)
                else f"from {name_of(link)}: {text_of(link)}"
            )
        return "; ".join(said)

    def _came_from(self, cause: BaseException) -> BaseException:
        self.__cause__ = cause = cut(cause)  # so that a traceback shows where it began
        return cause

    def __str__(self) -> str:
        return f"{self.code}: {redact_text(self.message)}"

    def __repr__(self) -> str:
        shown: Any = Redactor().copy(self._context, iter(range(_MAX_SHOWN)))
        context = "".join([f", {key}={repr_of(value)}" for key, value in shown.items()])
        made = f"QiError.{self.category.lower()}({self.code!r}"
        return f"{made}, {redact_text(self.message)!r}{context})"

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, QiError):
            return NotImplemented
        from .wire import same  # late, as above

        return self is other or same(self, other)

    def __hash__(self) -> int:
        return hash((self.code, self.message, self.category))

    def __reduce__(self) -> tuple[object, ...]:
        from .wire import state  # late, as above

        return make_error, state(self)


def make_error(
    code: str,
    message: str,
    category: ErrorCategory,
    source: str | None = None,
    context: Mapping[str, object] = _NOTHING,
    cause: BaseException | None = None,
    errors: tuple[QiError, ...] = (),
    retryable: bool | None = None,
    retry_after: float | None = None,
    hint: str | None = None,
    public_message: str | None = None,
    timestamp: float | None = None,
) -> QiError:
    """Make a QiError of its parts, for what has no factory: a copy, an aggregate, a wire's."""
    error: Any = _FACTORIES[category](
        code, message, cause=cause, hint=hint, retryable=retryable, retry_after=retry_after,
        public_message=public_message, source=source,
    )  # fmt: skip
    error._context = context
    error._errors = errors and shallow(errors)
    for held in errors:
        release(held)  # an aggregate holds no frame either, and a Failure looks at the whole alone
    if timestamp is not None:
        error._timestamp = timestamp
    return error  # type: ignore[no-any-return]  # a factory made it


def again(error: QiError, **changes: Any) -> QiError:
    """Make an error anew with some parts changed, named as `make_error` names them."""
    parts: dict[str, Any] = {name: getattr(error, f"_{name}") for name in PARTS}
    return make_error(**(parts | changes))


_FACTORIES: Final = {category: factory(QiError, category) for category in ErrorCategory}


def _attach() -> None:
    for category, make in _FACTORIES.items():
        setattr(QiError, category.lower(), staticmethod(make))
    for where, category in (
        ("cache", ErrorCategory.UNAVAILABLE),
        ("filesystem", ErrorCategory.UNAVAILABLE),
        ("database", ErrorCategory.UNAVAILABLE),
        ("http", ErrorCategory.NETWORK),
    ):
        setattr(QiError, where, staticmethod(factory(QiError, category, where)))


_attach()
