"""What httpcore2 leaves undone in HTTP/2: to say that nobody reads an answer any more.

It forgets a stream whose reader has gone. Its server goes on with it and counts it as open, and
what came of it is never acknowledged: after a hundred such answers the connection takes no request,
and after 16 MiB it gets nothing. So here the stream is reset, and what came is acknowledged; what
comes afterwards h2 acknowledges itself, as it knows that it was reset.
"""

from __future__ import annotations

from typing import Any, Final

import httpcore2

__all__ = ["reset_what_nobody_reads"]

_CANCEL: Final = 8  # Source: RFC 9113, section 7.
_ASKED_BY_NOBODY: Final = httpcore2.Request("GET", "https://localhost/")


def reset_what_nobody_reads(connection: Any, /) -> None:
    """Have a connection of a pool do so, if it comes to speak HTTP/2."""
    handle = connection.handle_async_request

    async def handled(request: httpcore2.Request) -> httpcore2.Response:
        try:
            return await handle(request)  # type: ignore[no-any-return]  # Any for what is set on it
        finally:
            inner = connection
            while (within := getattr(inner, "_connection", None)) is not None:
                inner = within
            if hasattr(inner, "_h2_state") and "_response_closed" not in vars(inner):
                _attend(inner)

    connection.handle_async_request = handled


def _attend(inner: Any) -> None:
    """Attend to the streams that are forgotten from now on, and to those that already are."""
    closed, state = inner._response_closed, inner._h2_state

    async def response_closed(stream_id: int) -> None:
        _leave(state, stream_id, inner._events.get(stream_id, ()))
        await closed(stream_id=stream_id)
        if inner._network_stream.get_extra_info("has_room") and not inner.is_closed():
            await inner._write_outgoing_data(_ASKED_BY_NOBODY)

    inner._response_closed = response_closed
    for stream_id in [one for one in state.streams if one not in inner._events]:
        _leave(state, stream_id, ())


def _leave(state: Any, stream_id: int, unread: Any) -> None:
    from h2.exceptions import ProtocolError  # late: only who asks for HTTP/2 needs it

    size = sum([getattr(event, "flow_controlled_length", 0) for event in unread])
    stream = state.streams.get(stream_id)
    try:
        if size:
            state.acknowledge_received_data(size, stream_id)
        if stream is not None and not stream.closed:
            state.reset_stream(stream_id, _CANCEL)
    except ProtocolError:
        pass  # the connection is over
