"""Artifacts: list, one, all. Source: protocol.md; guarantees.md, G7, F38, F39."""

import hashlib
import io
import tarfile
from urllib.parse import quote

import pytest

from house import HandWorker, described, finished, inline
from participants.place import Place, received, refused

FILES = {
    "out/report.txt": b"all is well\n",
    "empty": b"",
    "sp ace/nötig#1?.bin": bytes(range(256)) * 10,
    "x" * 255: b"long name",
    "line\nbreak": b"a name with a line break",
    "artifacts/log": b"a path like one of the API's",
}


@pytest.fixture
def job(place: Place, worker: HandWorker) -> str:
    """One that brought FILES back, and a large one that was uploaded."""
    made, attempt = place.held(worker)
    large = b"large" * 30_000
    sent = worker.http.patch(
        f"/gateway/v1/attempts/{attempt}/artifacts/big/one", content=large, headers={"Upload-Offset": "0"}
    )
    assert sent.headers["upload-offset"] == str(len(large))
    small = [{"path": path, "mode": 0o640, **inline(content)} for path, content in FILES.items()]
    big = {"path": "big/one", "mode": 0o755, **described(large)}
    assert received(worker.finish(finished(attempt, artifacts=[*small, big]))) == [attempt]
    return made


def at(job: str, path: str = "") -> str:
    return f"/api/v1/jobs/{job}/artifacts{path and '/'}{quote(path)}"


def test_the_list_tells_path_size_digest_and_mode(place: Place, job: str) -> None:
    answer = place.admin.get(at(job))

    assert answer.status_code == 200
    assert set(answer.json()) == {"artifacts"}
    shown = {one["path"]: one for one in answer.json()["artifacts"]}
    assert shown.keys() == {*FILES, "big/one"}
    assert list(shown) == sorted(shown)
    assert shown["big/one"] == {"path": "big/one", "mode": 0o755, **described(b"large" * 30_000)}
    for path, content in FILES.items():
        assert shown[path] == {"path": path, "mode": 0o640, **described(content)}


@pytest.mark.parametrize("path", FILES)
def test_each_comes_back_as_it_was_and_as_a_download(place: Place, job: str, path: str) -> None:
    answer = place.admin.get(at(job, path))

    assert (answer.status_code, answer.content) == (200, FILES[path])
    assert answer.headers["etag"] == f'"{hashlib.sha256(FILES[path]).hexdigest()}"'
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_part_of_one_and_not_again_what_is_known(place: Place, job: str) -> None:
    large = b"large" * 30_000
    etag = f'"{hashlib.sha256(large).hexdigest()}"'

    part = place.admin.get(at(job, "big/one"), headers={"Range": "bytes=100000-100009"})
    same = place.admin.get(at(job, "big/one"), headers={"Range": "bytes=5-9", "If-Range": etag})
    other = place.admin.get(at(job, "big/one"), headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    known = place.admin.get(at(job, "big/one"), headers={"If-None-Match": etag})
    beyond = place.admin.get(at(job, "big/one"), headers={"Range": "bytes=150000-"})

    assert (part.status_code, part.content) == (206, large[100_000:100_010])
    assert part.headers["content-range"] == "bytes 100000-100009/150000"
    assert (same.status_code, same.content) == (206, b"large")
    assert (other.status_code, other.content) == (200, large)
    assert (known.status_code, known.content) == (304, b"")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */150000")


def test_all_of_them_as_one_archive_of_regular_files(place: Place, job: str) -> None:
    answer = place.admin.get(f"/api/v1/jobs/{job}/artifacts.tar.gz")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as archive:
        members = archive.getmembers()
        found = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in members}
    assert found == {**FILES, "big/one": b"large" * 30_000}
    assert all(member.isreg() and (member.uid, member.gid) == (0, 0) for member in members)
    assert {member.name: member.mode for member in members}["big/one"] == 0o755


def test_what_is_not_there_is_404(place: Place, job: str) -> None:
    for path in ("nothing", "big", "out/report.txt/x", "Empty"):
        refused(place.admin.get(at(job, path)), 404, "not-found")


def test_a_job_without_any_has_an_empty_list_and_archive(place: Place) -> None:
    job = place.submit()

    assert place.admin.get(at(job)).json() == {"artifacts": []}
    archive = place.admin.get(f"/api/v1/jobs/{job}/artifacts.tar.gz").content
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        assert opened.getnames() == []


def test_nobody_sees_an_artifact_before_the_finish(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    url = f"/gateway/v1/attempts/{attempt}/artifacts/half"
    assert worker.http.patch(url, content=b"half", headers={"Upload-Offset": "0"}).status_code == 204

    assert place.admin.get(at(job)).json() == {"artifacts": []}
    refused(place.admin.get(at(job, "half")), 404, "not-found")
