"""What an answer means: a success, or the Failure that its status is, and when to come again."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from time import time
from typing import Final

from qicore_core import Result, failure, success
from qicore_core.error.qi_error import make_error

from .errors import HTTP_ERROR, category_of
from .message import HttpResponse, shown

__all__ = ["date_of", "judged", "retry_after", "whole_number"]

_MAX_DIGITS: Final = 18


def judged(
    response: HttpResponse, method: str, accept: frozenset[int] | None, /
) -> Result[HttpResponse]:
    """Give a response as a success, or as the Failure that its status is.

    Errors:
        HTTP_ERROR: the status is no success; the context has it, and an excerpt of the body.
    """
    status = response.status
    if status < 400 if accept is None else status in accept:
        return success(response)
    return failure(
        make_error(
            HTTP_ERROR,
            f"{method} {shown(response.url)} answered {status}",
            category_of(status),
            "http",
            {
                "status": status,
                "method": method,
                "url": shown(response.url),
                "excerpt": response.excerpt,
            },
            retryable=None if status in (408, 425, 429, 502, 503, 504) else False,
            retry_after=retry_after(response.headers.get("retry-after", "")),
            public_message=f"an upstream service answered {status}",
        )
    )


def retry_after(text: str, /) -> float | None:
    """Read a Retry-After, in seconds or as a date; one that has passed asks for no time.

    Source: RFC 9110, section 10.2.3.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    seconds = whole_number(text)
    if seconds is not None:
        return float(seconds)
    when = date_of(text)
    return None if when is None else max(0.0, when - time())


def whole_number(text: str | None, /) -> int | None:
    """Read a number as headers write it, digits alone; None where it is none.

    >>> whole_number(" 5 "), whole_number("+5"), whole_number("²")
    (5, None, None)
    """
    stripped = (text or "").strip()
    is_one = stripped.isascii() and stripped.isdigit() and len(stripped) <= _MAX_DIGITS
    return int(stripped) if is_one else None


def date_of(text: str | None, /) -> float | None:
    """Read a date of a header as epoch seconds. Source: RFC 9110, section 5.6.7.

    >>> date_of("Thu, 01 Jan 1970 00:01:00 GMT"), date_of("0")
    (60.0, None)
    """
    try:
        when = parsedate_to_datetime((text or "").strip())
        when = when if when.tzinfo else when.replace(tzinfo=UTC)  # "-0000": of no known place
        return when.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
