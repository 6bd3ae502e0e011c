"""Stored bytes that the disk has changed are told, never given out. Source: guarantees.md, F56."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from house import HandWorker, Json, Server, described, finished
from participants.place import received, refused

SMALL, LARGE = b"s" * 200_000, b"L" * 3_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its log will speak of what is damaged."""
    started = Server(tmp_path_factory.mktemp("damaged") / "data")
    yield started
    started.stop()


@pytest.fixture
def admin(server: Server) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def kept(server: Server, admin: httpx2.Client) -> Iterator[tuple[str, Path, Path, Path]]:
    """A job with an uploaded log, small and large artifacts; its id, and where their bytes are."""
    worker = HandWorker(server)
    with worker.http as http:
        job: str = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job(wait_s=5)
        attempt = offer["attempt_id"]
        base = f"/gateway/v1/attempts/{attempt}"
        for path, content in {"log": SMALL, "artifacts/small": SMALL, "artifacts/large": LARGE}.items():
            http.patch(f"{base}/{path}", content=content, headers={"Upload-Offset": "0"})
        artifacts = [{"path": path, "mode": 420, **described(content)} for path, content in ARTIFACTS.items()]
        report = finished(attempt, artifacts=artifacts) | {"log": described(SMALL)}
        assert received(worker.finish(report)) == [attempt]
    folder = server.data / "blobs" / attempt[-2:] / attempt
    files = {file.stat().st_size: file for file in folder.iterdir() if file.name != "log"}
    log, small, large = folder / "log", files[len(SMALL)], files[len(LARGE)]
    yield job, log, small, large
    for file, content in {log: SMALL, small: SMALL, large: LARGE}.items():
        file.write_bytes(content)  # no other test is to find it


ARTIFACTS = {"small": SMALL, "large": LARGE}


def flip(file: Path, at: int) -> None:
    """One bit is another."""
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 1]))


def truncate(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1)


def asked(admin: httpx2.Client, job: str, what: str) -> httpx2.Response:
    return admin.get(f"/api/v1/jobs/{job}/{what}")


def found(admin: httpx2.Client, path: str = "") -> dict[str, Json]:
    """What the doctor says, by code."""
    answer = admin.get(f"/api/v1/doctor{path}")
    assert answer.status_code == 200, answer.text
    return {finding["code"]: finding for finding in answer.json()["findings"]}


def test_bytes_that_are_whole_are_given_out(admin: httpx2.Client, kept: tuple[str, Path, Path, Path]) -> None:
    job = kept[0]

    assert asked(admin, job, "log").content == SMALL
    assert asked(admin, job, "artifacts/small").content == SMALL
    assert asked(admin, job, "artifacts/large").content == LARGE
    assert found(admin) == found(admin, "/blobs") == {}


@pytest.mark.parametrize("damage", [truncate, Path.unlink, lambda file: flip(file, 100_000)])
def test_a_small_one_is_told_as_damaged_instead(
    admin: httpx2.Client, kept: tuple[str, Path, Path, Path], damage: object
) -> None:
    job, log, small, _ = kept
    assert callable(damage)
    damage(log)
    damage(small)

    refused(asked(admin, job, "log"), 500, "damaged")
    refused(asked(admin, job, "artifacts/small"), 500, "damaged")
    part = admin.get(f"/api/v1/jobs/{job}/artifacts/small", headers={"Range": "bytes=0-9"})
    refused(part, 500, "damaged")
    assert asked(admin, job, "artifacts/large").content == LARGE


def test_a_large_one_that_is_cut_is_told_before_its_first_byte(
    admin: httpx2.Client, kept: tuple[str, Path, Path, Path]
) -> None:
    job, *_, large = kept
    truncate(large)

    refused(asked(admin, job, "artifacts/large"), 500, "damaged")
    refused(asked(admin, job, "artifacts.tar.gz"), 500, "damaged")
    assert found(admin)["blob-size"]["count"] == 1


@pytest.mark.parametrize("at", [0, 1_500_000, len(LARGE) - 1])
@pytest.mark.parametrize("what", ["artifacts/large", "artifacts.tar.gz"])
def test_a_large_one_with_another_bit_never_arrives_whole(
    admin: httpx2.Client, kept: tuple[str, Path, Path, Path], what: str, at: int
) -> None:
    """What was sent cannot be taken back: the connection breaks before the last byte."""
    job, *_, large = kept
    flip(large, at)

    with pytest.raises(httpx2.RemoteProtocolError):
        asked(admin, job, what)


def test_the_doctor_finds_what_nobody_has_asked_for(admin: httpx2.Client, kept: tuple[str, Path, Path, Path]) -> None:
    _, log, small, large = kept
    attempt = log.parent.name
    truncate(log)
    small.unlink()
    flip(large, 77)

    shallow, deep = found(admin), found(admin, "/blobs")

    assert {code: finding["examples"] for code, finding in shallow.items()} == {
        "blob-size": [f"{attempt} log"],
        "blob-missing": [f"{attempt} small"],
    }
    assert deep["blob-digest"]["examples"] == [f"{attempt} large"]
    assert not any(finding["fixable"] for finding in [*shallow.values(), *deep.values()])
