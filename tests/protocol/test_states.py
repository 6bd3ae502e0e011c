"""States and moves are those of the contract. Source: protocol.md, "States of a job"."""

from collections.abc import Iterable

import pytest

from rota.protocol.states import ENDED, HELD, AttemptState, JobState, Move, Verdict


def test_the_states_are_those_of_the_contract() -> None:
    assert [*JobState] == ["waiting", "queued", "assigned", "running", "finished", "cancelled", "expired", "lost"]
    assert {*AttemptState} == {"assigned", "running", "finished", "refused", "cancelled", "lost", "detached"}
    assert {*Verdict} == {"succeeded", "failed"}
    assert {*HELD} == {"assigned", "running", "detached"}


def reached(start: JobState, moves: Iterable[Move]) -> set[JobState]:
    moves = list(moves)
    found = {start}
    while more := {move.enters for move in moves if move.leaves & found} - found:
        found |= more
    return found


def test_every_state_can_be_reached_from_the_queue() -> None:
    assert reached(JobState.QUEUED, Move) == {*JobState}


@pytest.mark.parametrize("state", JobState)
def test_no_job_is_stuck(state: JobState) -> None:
    assert reached(state, Move) & ENDED


@pytest.mark.parametrize("state", sorted(ENDED))
def test_only_a_persons_retry_leaves_an_end_and_the_schedulers_word_before_its_verdict(state: JobState) -> None:
    undecided = [Move.TRY_AGAIN] if state is JobState.FINISHED else []
    of_arrays = [Move.REOPEN] if state in {JobState.FINISHED, JobState.CANCELLED} else []
    assert [move for move in Move if state in move.leaves] == [*of_arrays, *undecided, Move.RETRY]


def test_only_what_was_not_started_is_refused() -> None:
    assert Move.REFUSE.leaves == {JobState.ASSIGNED}
    assert Move.REFUSE.enters == JobState.QUEUED


def test_a_job_is_given_out_from_the_queue_alone() -> None:
    assert [move for move in Move if move.enters is JobState.ASSIGNED] == [Move.ASSIGN]
    assert Move.ASSIGN.leaves == {JobState.QUEUED}


def test_no_two_moves_are_the_same_thing_by_two_names() -> None:
    assert len(Move.__members__) == len([*Move])
