"""The head of a request is bounded: what somebody without a credential sends does not fill the memory."""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rota.protocol.problems import Problem, TooLarge, Unparsable
from rota.protocol.wire import encode

HEAD_SIZE_BYTES_MAX = 64 * 1024
"""Request line and headers together; one read of the socket may bring more before it is noticed."""
_LINGER_S = 2.0


class BoundedHead(HttpToolsProtocol):
    """Answers 413 where a head does not end, drops what still comes, and hangs up."""

    _is_head = True
    _is_refused = False
    _head_size_bytes = 0

    def on_message_begin(self) -> None:
        self._is_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_head, self._head_size_bytes = False, 0
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        super().data_received(data)
        if self._is_head:
            self._head_size_bytes += len(data)
            if self._head_size_bytes > HEAD_SIZE_BYTES_MAX:
                limit = HEAD_SIZE_BYTES_MAX
                self._refuse(TooLarge(f"The request's headers are larger than {limit} bytes.", limit_bytes=limit))

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the same words as everything else."""
        self._refuse(Unparsable(msg))

    def _refuse(self, problem: Problem) -> None:
        self._is_refused = True
        body = encode(problem.body())
        lines = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            "Content-Type: application/problem+json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        # Hanging up at once would throw the answer away at a sender that still sends.
        self.loop.call_later(_LINGER_S, self.transport.close)
