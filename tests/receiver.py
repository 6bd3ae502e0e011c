"""A webhook's receiver on loopback: checks every signature with the library's verifier, and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

Json = dict[str, Any]


class Receiver:
    """What came, in order. `answers` are statuses, or a status with headers; the last one stays. None: it hangs."""

    def __init__(self, *answers: "int | tuple[int, dict[str, str]] | None") -> None:
        self.answers = list(answers) or [204]
        self.secret = ""
        self.events: list[Json] = []
        self.ids: list[str] = []
        self.at: list[float] = []
        self.bad: list[str] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.take(self.path, dict(self.headers), body)
                if answer is None:
                    receiver.released.wait(30)
                    self.close_connection = True
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def do_GET(self) -> None:
                receiver.bad.append(f"GET {self.path}")
                self.send_error(405)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def take(self, path: str, headers: Json, body: bytes) -> "int | tuple[int, dict[str, str]] | None":
        """One request; returns what to answer."""
        try:
            event = Webhook(self.secret).verify(body, headers) if self.secret else json.loads(body)
        except WebhookVerificationError as error:
            self.bad.append(f"{path}: {error}")
            return 400
        with self._lock:
            self.events.append(event)
            self.ids.append(headers["webhook-id"])
            self.at.append(time.monotonic())
            return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)

    def types(self, subject: str | None = None) -> list[str]:
        """What happened, shortly; of one job."""
        return [event["type"].removeprefix("dev.rota.") for event in self.events if subject in {None, event["subject"]}]

    def stop(self) -> None:
        """Let go of who hangs, and listen no more."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receivers(count: int = 1, *answers: "int | tuple[int, dict[str, str]] | None") -> Iterator[Sequence[Receiver]]:
    """So many, each answering alike; what they could not verify fails the test."""
    made = [Receiver(*answers) for _ in range(count)]
    try:
        yield made
    finally:
        for receiver in made:
            receiver.stop()
    assert [bad for receiver in made for bad in receiver.bad] == []
