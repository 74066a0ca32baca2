"""A Stream as an answer: one JSON text a line, and a problem as the last one if it fails.

Source: NDJSON 1.0. The stream begins before the answer does, so that one which cannot begin has the
status of its failure. After that the status is out: the problem is the last line then, and a reader
tells it by its `type`, which begins with "urn:qi:".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from starlette.responses import Response, StreamingResponse

from qicore_core import Failure, QiError, Stream, Success

from .errors import RESPONSE_INVALID
from .exchange import CURRENT
from .problem import answer, problem, render

__all__ = ["NDJSON", "NdjsonResponse", "stream_answer"]

NDJSON: Final = "application/x-ndjson"


class NdjsonResponse(StreamingResponse):
    """An answer of one JSON text a line."""

    media_type = NDJSON


async def stream_answer(
    returned: Any, items: TypeAdapter[Any], given: Response, refuse: Callable[[object], QiError]
) -> Response:
    """Begin a stream and make the answer that sends it; what is none is refused."""
    if isinstance(returned, Failure):
        return answer(returned.error)
    stream: object = returned.value if isinstance(returned, Success) else returned
    if isinstance(stream, Response):
        return stream
    if not isinstance(stream, Stream):
        return answer(refuse(stream))
    begun = await stream
    if isinstance(begun, Failure):
        return answer(begun.error)
    made = NdjsonResponse(_lines(begun.value, items), given.status_code or 200)
    made.raw_headers.extend(given.raw_headers)
    return made


async def _lines(stream: Stream[Any], items: TypeAdapter[Any]) -> AsyncIterator[bytes]:
    exchange = CURRENT.get()
    async with stream:
        async for item in stream:
            failed = item.error if isinstance(item, Failure) else None
            if isinstance(item, Success):
                try:
                    value = items.validate_python(item.value, from_attributes=True)
                    yield items.dump_json(value, by_alias=True, warnings="error") + b"\n"
                    continue
                except (ValidationError, PydanticSerializationError):
                    failed = QiError.internal(
                        RESPONSE_INVALID, "the stream has an item of another kind", source="web"
                    )
            assert failed is not None  # noqa: S101  # it is one of the two
            if exchange is not None:
                exchange.error = failed
            yield render(problem(failed)) + b"\n"
            return
