"""The chaos's own judgement: it sees what it is there to see."""

from pathlib import Path

import pytest

from chaos import ledger
from chaos.participants import Span

SECOND = 1_000_000_000
FIRST = "10 start 7 a worker-0 -"


def _read(folder: Path, *lines: str) -> ledger.Ledger:
    file = folder / "ledger"
    file.write_text("".join(f"{line}\n" for line in lines))
    return ledger.read(file)


def test_executions_one_after_the_other_are_no_overlap(tmp_path: Path) -> None:
    found = _read(tmp_path, FIRST, "20 end 7 a worker-0 -", "21 start 7 b worker-1 -", "30 end 7 b worker-1 -")

    assert ledger.judge(found, {}, {}) == ([], 0, 0)
    assert [one.ended_ns for one in found.executions.values()] == [20, 30]


def test_a_second_execution_that_finds_the_lock_held_is_an_overlap_though_the_first_never_ended(tmp_path: Path) -> None:
    found = _read(tmp_path, FIRST, "15 overlap 7 b worker-1 a", "16 freed 7 b worker-1 -", "16 start 7 b worker-1 -")

    assert len(ledger.judge(found, {}, {}).wrong) == 1


def test_executions_whose_times_cross_are_an_overlap_without_the_lock(tmp_path: Path) -> None:
    found = _read(tmp_path, FIRST, "15 start 7 b worker-1 -", "20 end 7 a worker-0 -")

    assert len(ledger.judge(found, {}, {}).wrong) == 1


def test_an_attempt_that_is_executed_twice_is_seen(tmp_path: Path) -> None:
    assert _read(tmp_path, FIRST, "20 start 7 a worker-0 -").twice == ["a"]


@pytest.mark.parametrize(("freed_s", "wrong"), [(5.9, 0), (6.1, 1)])
def test_a_frozen_machine_may_overlap_for_a_second_after_it_woke_and_no_longer(
    freed_s: float, wrong: int, tmp_path: Path
) -> None:
    found = _read(
        tmp_path,
        FIRST,
        f"{2 * SECOND} overlap 7 b worker-1 a",
        f"{int(freed_s * SECOND)} freed 7 b worker-1 -",
    )
    frozen = {"worker-0": [Span(1 * SECOND, 5 * SECOND)]}

    judged = ledger.judge(found, frozen, {})

    assert (len(judged.wrong), judged.frozen) == (wrong, 1 - wrong)


def test_a_second_that_is_frozen_itself_sees_late_that_the_first_ended(tmp_path: Path) -> None:
    found = _read(tmp_path, FIRST, f"{4 * SECOND} overlap 7 b worker-1 a", f"{12 * SECOND} freed 7 b worker-1 -")
    frozen = {"worker-0": [Span(1 * SECOND, 5 * SECOND)], "worker-1": [Span(int(5.5 * SECOND), 12 * SECOND)]}

    assert ledger.judge(found, frozen, {}) == ([], 1, 0)
    assert len(ledger.judge(found, {"worker-0": frozen["worker-0"]}, {}).wrong) == 1


def test_a_frozen_machine_excuses_no_other_worker(tmp_path: Path) -> None:
    found = _read(tmp_path, FIRST, f"{2 * SECOND} overlap 7 b worker-1 a")

    assert len(ledger.judge(found, {"worker-2": [Span(1, 9 * SECOND)]}, {}).wrong) == 1
