"""Log and artifacts, resumable; inputs by range. Source: protocol.md, "resumable"; guarantees.md, F29, F37."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx2
import pytest

from house import HandWorker, finished
from participants.place import Place, received, refused
from waiting import until

UPLOADS = ["log", "artifacts/out/x.bin"]


def url(attempt: str, path: str) -> str:
    return f"/gateway/v1/attempts/{attempt}/{path}"


def send(worker: HandWorker, attempt: str, path: str, offset: int | str, piece: bytes) -> httpx2.Response:
    return worker.http.patch(url(attempt, path), content=piece, headers={"Upload-Offset": str(offset)})


def stored(worker: HandWorker, attempt: str, path: str) -> int:
    answer = worker.http.head(url(attempt, path))
    assert (answer.status_code, answer.content) == (204, b"")
    return int(answer.headers["upload-offset"])


@pytest.mark.parametrize("path", UPLOADS)
def test_bytes_are_added_piece_by_piece(place: Place, worker: HandWorker, path: str) -> None:
    _, attempt = place.held(worker)
    assert stored(worker, attempt, path) == 0

    for piece, offset in ((b"abc", 0), (b"", 3), (b"defgh", 3)):
        answer = send(worker, attempt, path, offset, piece)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["upload-offset"] == str(offset + len(piece))

    assert stored(worker, attempt, path) == 8


@pytest.mark.parametrize("path", UPLOADS)
@pytest.mark.parametrize("offset", [0, 2, 4, 10**17])
def test_a_wrong_offset_is_told_the_right_one_and_changes_no_byte(
    place: Place, worker: HandWorker, path: str, offset: int
) -> None:
    job, attempt = place.held(worker)
    send(worker, attempt, path, 0, b"abc")

    problem = refused(send(worker, attempt, path, offset, b"XYZ"), 409, "offset-mismatch")

    assert problem["offset"] == 3
    assert stored(worker, attempt, path) == 3
    if path == "log":
        assert place.admin.get(f"/api/v1/jobs/{job}/log").content == b"abc"


def test_of_many_that_send_the_same_piece_one_wins(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: send(worker, attempt, "log", 0, b"x" * 1000), range(20)))

    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 19
    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == b"x" * 1000


@pytest.mark.parametrize("offset", ["", "x", "-1", "1.5", "9" * 5000])
def test_an_offset_that_is_none_is_refused(place: Place, worker: HandWorker, offset: str) -> None:
    _, attempt = place.held(worker)

    refused(send(worker, attempt, "log", offset, b"x"), 422, "invalid-request", "Upload-Offset")


def test_without_an_offset_nothing_is_stored(place: Place, worker: HandWorker) -> None:
    _, attempt = place.held(worker)

    refused(worker.http.patch(url(attempt, "log"), content=b"x"), 422, "invalid-request", "Upload-Offset")
    assert stored(worker, attempt, "log") == 0


def test_what_came_before_the_sender_broke_off_is_kept_and_it_goes_on_from_there(
    place: Place, worker: HandWorker
) -> None:
    job, attempt = place.held(worker)

    def broken() -> Iterator[bytes]:
        yield b"a" * 100_000
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        worker.http.patch(url(attempt, "log"), content=broken(), headers={"Upload-Offset": "0"})
    until(lambda: stored(worker, attempt, "log") == 100_000, 5)
    log = b"a" * 100_000 + b"b" * 70_000
    assert send(worker, attempt, "log", 100_000, b"b" * 70_000).status_code == 204

    report = finished(attempt, log)
    report["log"]["inline"] = None
    assert received(worker.finish(report)) == [attempt]
    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == log


@pytest.mark.parametrize("holder", ["nobody", "another worker", "finished"])
def test_who_does_not_hold_the_attempt(place: Place, worker: HandWorker, holder: str) -> None:
    if holder == "nobody":
        attempt = "01a209c7-2a4a-778f-be04-0e938b7a7b88"
    elif holder == "another worker":
        _, attempt = place.held(place.worker("other"))
    else:
        _, attempt = place.ended(worker)
    status, slug = (409, "lease-lost") if holder == "finished" else (404, "not-found")

    for path in UPLOADS:
        refused(send(worker, attempt, path, 0, b"x"), status, slug)
        assert worker.http.head(url(attempt, path)).status_code == status
    refused(worker.http.get(url(attempt, "inputs/x")), status, slug)


@pytest.mark.parametrize(
    "path",
    ["..", "../x", "a/../b", "%2e%2e/x", "/etc/passwd", "%2Fetc", "C:%5Cx", "a%5Cb", "a%00b", "", "a//b", "./a", "a/."],
)
def test_a_path_that_could_lead_out_is_refused(place: Place, worker: HandWorker, path: str) -> None:
    job, attempt = place.held(worker)

    for method, folder in (("PATCH", "artifacts"), ("GET", "inputs")):
        status = _raw(worker, method, f"/gateway/v1/attempts/{attempt}/{folder}/{path}")
        assert b" 422 " in status, status
    assert place.admin.get(f"/api/v1/jobs/{job}/artifacts").json() == {"artifacts": []}


def _raw(worker: HandWorker, method: str, target: str) -> bytes:
    """The status line; a client of HTTP would tidy the path up before it is sent."""
    head = [
        f"{method} {target} HTTP/1.1", "Host: rota", f"Authorization: {worker.http.headers['Authorization']}",
        "Upload-Offset: 0", "Content-Length: 0", "Connection: close", "", "",
    ]  # fmt: skip
    host, port = worker.http.base_url.host, worker.http.base_url.port
    with socket.create_connection((host, port or 80), 10) as connection:
        connection.sendall("\r\n".join(head).encode())
        return connection.makefile("rb").readline()


@pytest.mark.parametrize("path", ["with space/é.bin", "x" * 255, "a/b/c/d", "line\nbreak", "100%", "q?#&=+"])
def test_a_path_that_stays_inside_is_taken(place: Place, worker: HandWorker, path: str) -> None:
    _, attempt = place.held(worker)

    assert send(worker, attempt, f"artifacts/{quote(path)}", 0, b"x").status_code == 204
    assert stored(worker, attempt, f"artifacts/{quote(path)}") == 1


def test_an_input_by_range(place: Place, worker: HandWorker) -> None:
    _, attempt = place.held(worker, inputs=[{"path": "in/x", "content": "aGVsbG8="}])

    whole = worker.http.get(url(attempt, "inputs/in/x"))
    part = worker.http.get(url(attempt, "inputs/in/x"), headers={"Range": "bytes=1-2"})
    beyond = worker.http.get(url(attempt, "inputs/in/x"), headers={"Range": "bytes=5-"})

    assert (whole.status_code, whole.content) == (200, b"hello")
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"el", "bytes 1-2/5")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */5")
    refused(worker.http.get(url(attempt, "inputs/nothing")), 404, "not-found")


def test_the_first_byte_of_a_log_shows_that_it_runs(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    send(worker, attempt, "artifacts/x", 0, b"x")
    assert place.state(job) == "assigned"

    send(worker, attempt, "log", 0, b"x")

    assert place.state(job) == "running"
