"""One artifact: there complete and verified, or not at all."""

import hashlib
from pathlib import Path

import pytest

from client.fake_server import FakeServer, HurriedWorld, answer, response
from rota import AsyncClient
from rota.protocol.problems import DigestMismatch, NotFound

CONTENT = b"0123456789"
LISTED = answer(
    200,
    {
        "artifacts": [
            {
                "path": "out/a b.txt",
                "size_bytes": len(CONTENT),
                "sha256": hashlib.sha256(CONTENT).hexdigest(),
                "mode": 420,
            }
        ]
    },
)
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123"
REST = response(206, CONTENT[4:], "application/octet-stream", "Content-Range: bytes 4-9/10")
WHOLE = response(200, CONTENT, "application/octet-stream")


async def fetch(server: FakeServer, to: Path, path: str = "out/a b.txt") -> Path:
    async with AsyncClient(server.url, "secret", world=HurriedWorld()) as client:
        return await client.download("j1", path, to)


async def test_a_download_that_broke_off_is_taken_up(tmp_path: Path) -> None:
    async with FakeServer(LISTED, CUT, REST) as server:
        path = await fetch(server, tmp_path)

    assert path == tmp_path / "a b.txt"
    assert path.read_bytes() == CONTENT
    assert server.asked[2].headers["range"] == "bytes=4-"
    assert server.asked[2].path == "/api/v1/jobs/j1/artifacts/out/a%20b.txt"


async def test_a_server_that_sends_the_whole_again_is_understood(tmp_path: Path) -> None:
    async with FakeServer(LISTED, CUT, WHOLE) as server:
        assert (await fetch(server, tmp_path)).read_bytes() == CONTENT


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("sent", [b"012345678X", b"0123456789more", b"012345"], ids=["other", "longer", "shorter"])
async def test_bytes_that_are_not_the_artifact_s_leave_nothing_behind(sent: bytes, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_bytes(b"older")
    async with FakeServer(LISTED, response(200, sent, "application/octet-stream")) as server:
        with pytest.raises(DigestMismatch):
            await fetch(server, tmp_path)

    assert contents(tmp_path) == {"a b.txt": b"older"}


async def test_an_artifact_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with FakeServer(LISTED) as server:
        with pytest.raises(NotFound, match="no artifact `else`"):
            await fetch(server, tmp_path, "else")
