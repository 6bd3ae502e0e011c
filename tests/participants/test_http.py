"""What holds for every call: limits, versions, unknown paths, other methods. Source: protocol.md; threats.md, T23."""

import socket
from http.client import HTTPResponse
from pathlib import Path

import httpx2
import pytest

from house import Server
from participants.place import Place, refused

MIB = 1024 * 1024


def memory_bytes(server: Server) -> int:
    """What the server's process holds of its own."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("version", ["1", "01"])
def test_the_version_that_is_spoken(admin: httpx2.Client, version: str) -> None:
    assert admin.get("/api/v1/jobs", headers={"Rota-Protocol": version}).status_code == 200


@pytest.mark.parametrize("version", ["99", "0", "2", "x", "1.0", "", "9" * 5000])
def test_another_version_is_426_with_the_range_that_is_spoken(admin: httpx2.Client, version: str) -> None:
    for path in ("/api/v1/jobs", "/livez"):
        problem = refused(admin.get(path, headers={"Rota-Protocol": version}), 426, "upgrade-required")
        assert (problem["oldest"], problem["newest"]) == (1, 1)


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1", "/api/v1/jobs/", "/api/v2/jobs", "/api/v1/schedule", "/gateway/v1/", "/api//v1/jobs"],
)
def test_an_unknown_path_is_404(admin: httpx2.Client, path: str) -> None:
    refused(admin.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/api/v1/jobs", "GET, POST"), ("GET", "/gateway/v1/get-job", "POST"), ("PUT", "/livez", "GET"),
        ("OPTIONS", "/api/v1/jobs", "GET, POST"), ("TRACE", "/api/v1/jobs", None),
        ("GET", "/registry/v1/status", "POST"),
    ],
)  # fmt: skip
def test_another_method_is_405_with_those_that_there_are(
    admin: httpx2.Client, method: str, path: str, allow: str | None
) -> None:
    answer = admin.request(method, path)

    refused(answer, 405, "method-not-allowed")
    assert allow is None or answer.headers["allow"] == allow


def test_a_hundred_megabytes_are_refused_unread(server: Server, place: Place) -> None:
    body = b'{"command": ["' + b"a" * 100_000_000 + b'"]}'
    before = memory_bytes(server)

    problem = refused(place.admin.post("/api/v1/jobs", content=body), 413, "too-large")
    pieces = (body[start : start + MIB] for start in range(0, len(body), MIB))
    refused(place.admin.post("/api/v1/jobs", content=pieces), 413, "too-large")

    assert problem["limit_bytes"] < len(body)
    assert memory_bytes(server) - before < 100 * MIB
    assert place.admin.get("/api/v1/jobs", params={"environment": place.name}).json()["jobs"] == []


@pytest.mark.parametrize("headers", [{"X-Large": "a" * MIB}, {f"X-{number}": "a" * 1000 for number in range(1000)}])
def test_a_megabyte_of_headers_is_refused(server: Server, admin: httpx2.Client, headers: dict[str, str]) -> None:
    before = memory_bytes(server)

    refused(admin.get("/livez", headers=headers), 413, "too-large")

    assert memory_bytes(server) - before < 10 * MIB
    assert admin.get("/livez").status_code == 200


def raw(server: Server, words: bytes) -> HTTPResponse:
    """What the server answers to these bytes; its head is read, its body can be."""
    connection = socket.create_connection(("127.0.0.1", server.port), 10)
    with connection:
        connection.sendall(words)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer


def test_a_head_without_end_is_hung_up_on(server: Server) -> None:
    with raw(server, b"GET /livez HTTP/1.1\r\nX: " + b"a" * 200_000) as answer:
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert b"too-large" in answer.read()


@pytest.mark.parametrize(
    "words", [b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]
)
def test_what_is_no_http_is_400(server: Server, words: bytes) -> None:
    with raw(server, words) as answer:
        assert answer.status == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert b"invalid-request" in answer.read()


def test_a_length_and_chunks_at_once_are_refused(server: Server) -> None:
    head = b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    with raw(server, head) as answer:
        assert answer.status == 400


def test_health_and_description(admin: httpx2.Client) -> None:
    for path in ("/livez", "/readyz"):
        answer = admin.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert "server" not in answer.headers
    metrics = admin.get("/metrics")
    assert metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert metrics.text.endswith("# EOF\n")
    assert 'rota_jobs{state="queued"}' in metrics.text
    assert admin.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_the_body_decides_not_what_its_header_calls_it(place: Place) -> None:
    body = f'{{"command": ["true"], "environment": "{place.name}"}}'.encode()

    assert place.admin.post("/api/v1/jobs", content=body, headers={"Content-Type": "text/plain"}).status_code == 201
