"""What a caller may say of a call, and of the request that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final, TypedDict

from qicore_core import Policy, QiError, Result, Secret, failure, success

from .errors import UNSUPPORTED

__all__ = ["OF_REQUESTS", "CallOptions", "RequestOptions", "check_options"]


class CallOptions(TypedDict, total=False):
    """How a call is made.

    Attributes:
        timeout: seconds for the whole: attempts, waiting, redirects and the body.
        policy: in place of the client's, this once.
        accept_status: the statuses that are successes; None is all below 400.
    """

    timeout: float | None
    policy: Policy | None
    accept_status: frozenset[int] | None


class RequestOptions(CallOptions, total=False):
    """What a request carries besides its URL.

    Attributes:
        params: added to the URL's query; None leaves one out.
        headers: in place of the client's of the same name; a value may be a Secret.
        json: the body, as JSON.
        form: the body, as a form.
        content: the body, as bytes or text.
    """

    params: Mapping[str, object] | None
    headers: Mapping[str, str | Secret[str]] | None
    json: Any
    form: Mapping[str, object] | None
    content: bytes | str | None


_KNOWN: Final = CallOptions.__annotations__.keys() | RequestOptions.__annotations__.keys()
_LATER: Final = frozenset(("cookies", "data", "files", "multipart"))
_KINDS: Final = (
    ("timeout", (int, float), "a number of seconds"),
    ("policy", Policy, "a Policy"),
    ("accept_status", Set, "a set of statuses"),
    ("params", Mapping, "a mapping"),
    ("headers", Mapping, "a mapping"),
    ("form", Mapping, "a mapping"),
)
OF_REQUESTS: Final = frozenset(_KNOWN - CallOptions.__annotations__.keys())
"""The options that change what is sent."""


def check_options(options: RequestOptions, /) -> Result[None]:
    """Look at the names and types of options, before anything is sent.

    Errors:
        HTTP_UNSUPPORTED: one that is not supported yet.

    Raises:
        TypeError: there is none of that name, or it is of another type.
    """
    for name in sorted(options.keys() - _KNOWN):
        if name not in _LATER:
            raise TypeError(f"a request has no option {name!r}; it has {', '.join(sorted(_KNOWN))}")
        return failure(
            QiError.unsupported(
                UNSUPPORTED,
                f"{name}= is not supported yet",
                hint="json=, form= and content= are the bodies; a cookie is a header",
                source="http",
            )
        )
    for name, kind, wanted in _KINDS:
        value = options.get(name)
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name}= is {wanted}, got {type(value).__name__}")
    return success()
