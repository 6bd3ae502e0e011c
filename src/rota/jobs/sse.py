"""A followed log as server-sent events: `id` is the byte offset behind the piece, `end` comes last.

Text cannot carry every byte (a carriage return, what is not UTF-8); who needs them exactly asks for base64.
Source: WHATWG HTML, "Server-sent events"; protocol.md, "/log".
"""

import codecs
from collections.abc import AsyncIterator

from rota.jobs.logs import Followed, LogEnd, LogPiece, Ping, Waits
from rota.protocol.wire import encode, parse_offset, to_base64


def resume_offset(last_event_id: str | None) -> int:
    """Where a dropped stream goes on. Raises InvalidRequest where the id is not a byte offset."""
    if last_event_id is None or last_event_id == "":
        return 0
    return parse_offset(last_event_id, "Last-Event-ID")


async def event_stream(followed: AsyncIterator[Followed], offset: int, *, in_base64: bool) -> AsyncIterator[bytes]:
    """The events' bytes."""
    decoder = _Decoder()
    is_first = True
    async for told in followed:
        if isinstance(told, LogPiece):
            if in_base64:
                yield _event(None, str(told.offset), to_base64(told.piece))
            else:
                text, kept = decoder.decode(told.piece, final=False)
                if text:
                    yield _event(None, str(told.offset - kept), text)
            offset = told.offset
        elif isinstance(told, Ping):
            yield b": still here\n\n"
        elif isinstance(told, Waits):
            yield _event("waits", str(offset), encode(told).decode())
        elif isinstance(told, LogEnd):
            rest, _ = decoder.decode(b"", final=True)
            if rest:
                yield _event(None, str(offset), rest)
            yield _event("end", str(offset), encode(told).decode())
        else:
            decoder, offset = _Decoder(), told.offset
            if in_base64 or not is_first:  # who reads text sees the log alone, as long as it is one
                yield _event("attempt", str(offset), encode({"number": told.number}).decode())
            is_first = False


class _Decoder:
    """UTF-8 whose characters may be cut in two by a piece's end."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, piece: bytes, *, final: bool) -> tuple[str, int]:
        """The text, and how many bytes of an unfinished character are kept back."""
        text = self._decoder.decode(piece, final)
        return text, len(self._decoder.getstate()[0])


def _event(kind: str | None, event_id: str, data: str) -> bytes:
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head = f"id: {event_id}\n" if kind is None else f"event: {kind}\nid: {event_id}\n"
    return (head + "".join(f"data: {line}\n" for line in lines) + "\n").encode()
