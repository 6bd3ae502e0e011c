"""Archives that lie: nothing is written but what was listed, where it belongs. Source: threats.md, T8, T9."""

import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from rota.client.unpack import UnsafeArchive, unpack
from rota.protocol.job import Artifact
from rota.protocol.problems import Conflict, InvalidRequest


def artifact(path: str, content: bytes, mode: int = 0o644) -> Artifact:
    return Artifact(path, len(content), hashlib.sha256(content).hexdigest(), mode)


def plain(path: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.size = len(content)
    return member, content


def special(path: str, kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.type, member.linkname = kind, target
    return member, b""


def archive(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> io.BytesIO:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    whole.seek(0)
    return whole


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_was_listed_is_there_with_its_bytes_and_may_be_run_where_it_could(tmp_path: Path) -> None:
    listed = [artifact("out/a.txt", b"aa"), artifact("run.sh", b"#!/bin/sh\n", 0o4755), artifact("empty", b"")]
    written = unpack(
        archive([plain("out/a.txt", b"aa"), plain("run.sh", b"#!/bin/sh\n"), plain("empty", b"")]), listed, tmp_path
    )

    assert everything_below(tmp_path) == {"out/a.txt": b"aa", "run.sh": b"#!/bin/sh\n", "empty": b""}
    assert written == [tmp_path / "out/a.txt", tmp_path / "run.sh", tmp_path / "empty"]
    assert (tmp_path / "run.sh").stat().st_mode & 0o7100 == 0o100, "executable, and not setuid"


@pytest.mark.parametrize(
    "member",
    [
        plain("other", b"aa"),
        plain("../a.txt", b"aa"),
        special("a.txt", tarfile.SYMTYPE, "/etc/passwd"),
        special("a.txt", tarfile.LNKTYPE, "../outside"),
        special("a.txt", tarfile.FIFOTYPE, ""),
        special("a.txt", tarfile.CHRTYPE, ""),
        plain("a.txt", b"xx"),
        plain("a.txt", b"aaa"),
    ],
    ids=["unlisted", "leads out", "symlink", "hard link", "fifo", "device", "other bytes", "longer"],
)
def test_an_archive_that_holds_anything_else_is_refused(member: tuple[tarfile.TarInfo, bytes], tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(UnsafeArchive):
        unpack(archive([member]), [artifact("a.txt", b"aa")], tmp_path / "to")

    assert everything_below(tmp_path) == {}


def test_a_list_that_leads_out_is_refused_as_well(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(InvalidRequest):
        unpack(archive([plain("../a.txt", b"aa")]), [artifact("../a.txt", b"aa")], tmp_path / "to")

    assert everything_below(tmp_path) == {}


def test_an_archive_that_lacks_something_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match="lacks `b`"):
        unpack(archive([plain("a", b"1")]), [artifact("a", b"1"), artifact("b", b"2")], tmp_path)


def test_an_archive_that_swells_is_cut(tmp_path: Path) -> None:
    bomb = archive([plain(f"pad{n}", b"\0" * 1_000_000) for n in range(50)])
    with pytest.raises(UnsafeArchive):
        unpack(bomb, [artifact("a", b"1")], tmp_path)


@pytest.mark.parametrize("damage", [b"", b"no archive", b"\x1f\x8b\x08\x00broken"])
def test_a_damaged_archive_is_told_as_such(damage: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive):
        unpack(io.BytesIO(damage), [artifact("a", b"1")], tmp_path)


def test_a_link_that_waits_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "to/out").symlink_to(tmp_path / "outside")
    with pytest.raises(Conflict, match="link"):
        unpack(archive([plain("out/a", b"1")]), [artifact("out/a", b"1")], tmp_path / "to")

    assert everything_below(tmp_path / "outside") == {}


def test_a_link_in_the_file_s_own_place_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "to").mkdir()
    (tmp_path / "to/a").symlink_to(tmp_path / "victim")
    unpack(archive([plain("a", b"1")]), [artifact("a", b"1")], tmp_path / "to")

    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert (tmp_path / "to/a").read_bytes() == b"1"
    assert not (tmp_path / "to/a").is_symlink()
