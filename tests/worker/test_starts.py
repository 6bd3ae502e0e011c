"""A worker counts its starts, so that the server tells late words from new ones. Source: guarantees.md, F23."""

import errno
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rota.protocol.incarnation import is_earlier
from rota.worker.shepherd import reserve
from rota.worker.starts import FILE_NAME, next_incarnation
from rota.world import SystemWorld


@dataclass
class At(SystemWorld):
    """A world whose wall clock shows what a test says."""

    seconds: float

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


def test_each_start_is_later_than_the_one_before_though_the_clock_was_set_back(tmp_path: Path) -> None:
    first = next_incarnation(tmp_path, At(1_000_000))
    second = next_incarnation(tmp_path, At(500_000))
    third = next_incarnation(tmp_path, At(500_000))

    assert is_earlier(first, second)
    assert is_earlier(second, third)


@pytest.mark.parametrize("left", [None, b"", b"\xff\x00", b"-3", b"9" * 40])
def test_a_count_that_was_lost_is_passed_by_the_clock(tmp_path: Path, left: bytes | None) -> None:
    before = next_incarnation(tmp_path, At(1_000_000))
    (tmp_path / FILE_NAME).unlink()
    if left is not None:
        (tmp_path / FILE_NAME).write_bytes(left)

    assert is_earlier(before, next_incarnation(tmp_path, At(1_000_060)))


def test_a_folder_that_takes_no_file_prevents_no_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert next_incarnation(tmp_path / "none", At(1_000_000))
    assert "could not be kept" in capsys.readouterr().err


def test_the_number_is_on_disk_before_it_is_used(tmp_path: Path) -> None:
    synced: list[int] = []

    next_incarnation(tmp_path, At(1_000_000), synced.append)

    assert len(synced) == 2
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


def test_two_starts_in_one_second_are_told_apart_though_the_count_cannot_be_kept(tmp_path: Path) -> None:
    """Found by the simulation: the second was taken for the first, and the server shut it out for good."""
    folder = tmp_path / "none"

    assert is_earlier(next_incarnation(folder, At(1_000_000)), next_incarnation(folder, At(1_000_000.25)))


def test_on_a_full_disk_the_count_takes_the_room_that_was_kept_back(tmp_path: Path) -> None:
    """Source: guarantees.md, F34."""
    assert reserve.keep(tmp_path)

    def sync(_file: int) -> None:
        if reserve.is_kept(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")

    first = next_incarnation(tmp_path, At(1_000_000), sync)

    assert not reserve.is_kept(tmp_path)
    assert is_earlier(first, next_incarnation(tmp_path, At(500_000), sync))
