"""Who sends slowly, or nothing, holds no connection for long; who waits for an answer does. Source: threats.md, T23."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import pytest

from house import HandWorker, Server, described, finished
from participants.place import received
from waiting import until

HEAD_S, BODY_S = 0.6, 1.0
LONGER_S = 2 * BODY_S
FEW_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
from rota.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One without patience."""
    data = tmp_path_factory.mktemp("slow") / "data"
    started = Server(data, ROTA_HEAD_TIMEOUT_S=str(HEAD_S), ROTA_BODY_TIMEOUT_S=str(BODY_S))
    yield started
    assert started.stop() == 0


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with connected(server) as made:
        yield made


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def hung_up_after_s(connection: socket.socket, trickle: Callable[[], None] = lambda: None) -> float:
    """How long the other side kept it open."""
    began = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - began < 10:
        try:
            trickle()
            if connection.recv(65536) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def answered(connection: socket.socket, words: bytes) -> int:
    """The status of the answer; the connection stays open."""
    connection.sendall(words)
    answer = HTTPResponse(connection)
    answer.begin()
    answer.read()
    return answer.status


def patch(attempt: str, size_bytes: int, authorization: str = "Bearer nobody") -> bytes:
    return (
        f"PATCH /gateway/v1/attempts/{attempt}/log HTTP/1.1\r\nHost: rota\r\nAuthorization: {authorization}\r\n"
        f"Upload-Offset: 0\r\nContent-Length: {size_bytes}\r\n\r\n"
    ).encode()


def held(server: Server, worker: HandWorker) -> str:
    with server.client() as admin:
        admin.post("/api/v1/jobs", json={"command": ["true"]})
    [offer] = worker.get_job()
    attempt: str = offer["attempt_id"]
    return attempt


def test_a_connection_that_says_nothing_is_closed(connection: socket.socket) -> None:
    assert HEAD_S * 0.8 < hung_up_after_s(connection) < HEAD_S * 3


@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: rota\r\n\r\n"], ids=["first", "kept"])
def test_a_head_that_trickles_is_cut_off(connection: socket.socket, before: bytes) -> None:
    if before:
        assert answered(connection, before) == 200
    connection.sendall(b"GET /livez HTTP/1.1\r\n")

    def trickle() -> None:
        connection.sendall(b"X: y\r\n")

    assert HEAD_S * 0.8 < hung_up_after_s(connection, trickle) < HEAD_S * 3


def test_a_kept_connection_and_a_held_question_outlast_both_times(server: Server, connection: socket.socket) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: rota\r\n\r\n"
    assert answered(connection, head) == 200
    worker = HandWorker(server)
    began = time.monotonic()

    with worker.http:
        answer = worker.post("/gateway/v1/get-job", {"slots": 1, "wait_s": LONGER_S})

    assert answer.status_code == 204
    assert time.monotonic() - began >= LONGER_S
    assert answered(connection, head) == 200


def test_a_log_that_is_followed_in_silence_goes_on(server: Server) -> None:
    worker = HandWorker(server)
    with server.client() as admin, worker.http:
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job()
        stream = admin.stream("GET", f"/api/v1/jobs/{job}/log", headers={"Accept": "text/event-stream"})
        with stream as followed:
            lines = followed.iter_lines()
            worker.post("/gateway/v1/get-job", {"slots": 1, "wait_s": LONGER_S})
            sent = worker.http.patch(
                f"/gateway/v1/attempts/{offer['attempt_id']}/log", content=b"late\n", headers={"Upload-Offset": "0"}
            )
            assert sent.status_code == 204
            assert any("data:" in line for line in itertools.islice(lines, 20))


def test_an_upload_that_stalls_is_cut_and_goes_on_where_it_was(server: Server, connection: socket.socket) -> None:
    worker = HandWorker(server)
    with worker.http:
        attempt = held(server, worker)
        log = b"x" * 300_000
        connection.sendall(patch(attempt, len(log), worker.http.headers["Authorization"]) + log[:100_000])

        assert BODY_S * 0.8 < hung_up_after_s(connection) < BODY_S * 4

        path = f"/gateway/v1/attempts/{attempt}/log"
        until(lambda: worker.http.head(path).headers["upload-offset"] == "100000")
        rest = worker.http.patch(path, content=log[100_000:], headers={"Upload-Offset": "100000"})
        assert rest.status_code == 204
        assert received(worker.finish(finished(attempt) | {"log": described(log)})) == [attempt]


def test_a_body_that_trickles_is_cut_also_after_its_answer(server: Server, connection: socket.socket) -> None:
    """Nobody's body is read, and nobody holds a connection with it."""
    assert answered(connection, patch("a", 10_000_000)) == 401

    assert hung_up_after_s(connection, lambda: connection.sendall(b"x")) < BODY_S * 4


def test_an_upload_that_is_slow_but_moves_is_taken(server: Server, connection: socket.socket) -> None:
    worker = HandWorker(server)
    pace = threading.Event()
    with worker.http:
        attempt = held(server, worker)
        piece, pieces = b"x" * 10_000, 15
        head = patch(attempt, len(piece) * pieces, worker.http.headers["Authorization"])
        connection.sendall(head)
        for _ in range(pieces - 1):
            connection.sendall(piece)
            pace.wait(LONGER_S / pieces)

        assert answered(connection, piece) == 204


def test_more_connections_than_can_be_served_are_told_so_and_the_others_are_served(tmp_path: Path) -> None:
    class Small(Server):
        program = ("-c", FEW_FILES)

    started = Small(tmp_path / "data")
    try:
        with ExitStack() as stack:
            silent = [stack.enter_context(connected(started)) for _ in range(60)]
            refused = silent[-1]
            answer = HTTPResponse(refused)
            answer.begin()
            assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
            assert int(answer.headers["retry-after"]) > 0
            assert answered(silent[5], b"GET /readyz HTTP/1.1\r\nHost: rota\r\n\r\n") == 200
        until(started.is_ready)
        with started.client() as admin:
            assert admin.post("/api/v1/jobs", json={"command": ["true"]}).status_code == 201
    finally:
        assert started.stop() == 0
    assert "Too many open files" not in started.log.read_text()
