"""The event log: every move of a job is in it, once, in the move's own transaction. Source: decision 0022."""

import contextlib
import json
from typing import Any

import pytest

from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.problems import Gone, InvalidRequest, Problem
from rota.protocol.spec import Spec
from rota.protocol.states import JobState, Move
from rota.storage.sqlite.event_log import NewEvent, moved, record
from rota.storage.sqlite.events import SqliteEvents
from rota.storage.stores.events import Logged, Wanted
from stores.bench import ANNA, NOW, Bench

ALL = Wanted()
TOLD = {
    Move.ASSIGN: [EventType.JOB_ASSIGNED],
    Move.REFUSE: [EventType.JOB_REFUSED],
    Move.ASK: [EventType.JOB_REFUSED],
    Move.START: [EventType.JOB_RUNNING],
    Move.FINISH: [EventType.JOB_FINISHED],
    Move.STOP: [EventType.JOB_CANCELLED],
    Move.ABANDON: [EventType.JOB_DETACHED, EventType.JOB_CANCELLED],
    Move.LAPSE: [EventType.JOB_LAPSED],
    Move.LOSE: [EventType.JOB_ATTEMPT_LOST],
    Move.CANCEL: [EventType.JOB_CANCELLED],
    Move.RETIRE: [EventType.JOB_CANCELLED],
    Move.EXPIRE: [EventType.JOB_EXPIRED],
    Move.OVERDUE: [EventType.JOB_EXPIRED],
    Move.RELEASE: [EventType.JOB_QUEUED],
    Move.TRY_AGAIN: [EventType.JOB_RETRIED],
    Move.GIVE_UP: [EventType.JOB_LOST, EventType.JOB_DECIDED],
    Move.RETRY: [EventType.JOB_RETRIED, EventType.JOB_QUEUED],
    Move.SKIP: [EventType.JOB_CANCELLED],
    Move.CANCEL_PARTS: [EventType.JOB_CANCELLED],
    Move.CLOSE: [EventType.JOB_FINISHED, EventType.JOB_DECIDED],
    Move.CLOSE_CANCELLED: [EventType.JOB_CANCELLED, EventType.JOB_DECIDED],
    Move.REOPEN: [EventType.JOB_RETRIED],
}
"""What each move is told as. A new move is named here, and told."""


@pytest.fixture
def log(bench: Bench) -> SqliteEvents:
    return SqliteEvents(bench.database)


async def behind(log: SqliteEvents, after: int) -> list[Logged]:
    return (await log.page(after, ALL, 1000)).events


def data(event: Logged) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.body)["data"]
    return found


@pytest.mark.parametrize("move", Move)
async def test_every_move_is_told_once(bench: Bench, log: SqliteEvents, move: Move) -> None:
    [left, *_] = sorted(move.leaves)
    job, attempt = await bench.placed(left)
    before = await log.newest()

    await bench.make(move, job, attempt)

    told = await behind(log, before)
    assert [event.type for event in told] == TOLD[move]
    assert {event.subject for event in told} == {job}
    assert data(told[-1])["state"] == await bench.state_of(job)


@pytest.mark.parametrize("move", Move)
async def test_a_move_that_changes_nothing_is_not_told(bench: Bench, log: SqliteEvents, move: Move) -> None:
    job, attempt = await bench.placed(JobState.FINISHED if JobState.FINISHED not in move.leaves else JobState.QUEUED)
    before = await log.newest()
    state = await bench.state_of(job)

    with contextlib.suppress(Problem):  # whatever it says, nothing has happened
        await bench.make(move, job, attempt)

    assert await bench.state_of(job) == state
    told = [event for event in await behind(log, before) if event.type is not EventType.JOB_DETACHED]
    assert told == []


async def test_what_is_undone_is_not_told(bench: Bench, log: SqliteEvents) -> None:
    [job] = await bench.submit(Spec(command=["true"]))
    before = await log.newest()

    def deed(connection: Any) -> None:  # noqa: ANN401  (a connection)
        moved(connection, EventType.JOB_QUEUED, job)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        await bench.database.writer.run(deed)

    assert await log.newest() == before


async def test_a_submission_tells_of_each_job_and_where_it_stands(bench: Bench, log: SqliteEvents) -> None:
    jobs = await bench.submit(Spec(command=["true"], name="a", tags={"k": "v"}), Spec(command=["true"]))

    told = await behind(log, 0)

    assert [(event.type, event.subject) for event in told] == [(EventType.JOB_SUBMITTED, job) for job in jobs]
    assert data(told[0])["name"] == "a"
    assert data(told[0])["tags"] == {"k": "v"}
    assert [data(event)["state"] for event in told] == ["queued", "queued"]


async def test_an_event_stays_as_it_was_when_its_job_moves_on(bench: Bench, log: SqliteEvents) -> None:
    job, _ = await bench.placed(JobState.FINISHED)
    before = [event.body for event in await behind(log, 0)]

    await bench.store.retry(job, None, NOW)
    await bench.claim()

    assert [event.body for event in await behind(log, 0)][: len(before)] == before


async def test_what_is_no_job_is_told_by_its_own_facts(bench: Bench, log: SqliteEvents) -> None:
    event = NewEvent(EventType.JOB_QUEUED, "default", "nightly", data='{"schedule": "nightly"}')

    await bench.database.writer.run(lambda connection: record(connection, event))

    [told] = await behind(log, 0)
    assert (told.subject, data(told)) == ("nightly", {"schedule": "nightly"})


async def test_filters_hold_together(bench: Bench, log: SqliteEvents) -> None:
    first, second = await bench.submit(Spec(command=["true"]), Spec(command=["true"]))
    await bench.claim(2)

    def told(wanted: Wanted) -> list[tuple[str, str]]:
        return [(event.type.rpartition(".")[2], event.subject) for event in found if wanted.holds(event)]

    found = await behind(log, 0)
    for wanted in (
        Wanted(types=frozenset({EventType.JOB_ASSIGNED})),
        Wanted(job_id=second),
        Wanted(environment="elsewhere"),
        Wanted(types=frozenset({EventType.JOB_SUBMITTED}), environment="default", job_id=first),
    ):
        page = await log.page(0, wanted, 100)
        assert [(event.type.rpartition(".")[2], event.subject) for event in page.events] == told(wanted)
        assert page.upto == await log.newest()
    assert told(Wanted(job_id=second)) == [("submitted", second), ("assigned", second)]
    assert told(Wanted(environment="elsewhere")) == []


async def test_the_oldest_are_forgotten_and_the_next_one_that_is_missed_is_told(
    bench: Bench, log: SqliteEvents
) -> None:
    await bench.submit(*[Spec(command=["true"])] * 10)

    assert await log.prune(4, "2000", 100) == 6

    assert (await log.oldest(), await log.newest()) == (7, 10)
    assert [event.seq for event in await behind(log, 6)] == [7, 8, 9, 10]
    with pytest.raises(Gone) as told:
        await log.page(5, ALL, 10)
    assert told.value.oldest == log.id_of(7)


async def test_forgetting_by_age_leaves_no_hole_where_the_clock_was_set_back(bench: Bench, log: SqliteEvents) -> None:
    await bench.submit(*[Spec(command=["true"])] * 6)
    await bench.rows("UPDATE event SET at = CASE WHEN seq IN (1, 2, 4) THEN '2001' ELSE '2030' END")

    assert await log.prune(100, "2020", 100) == 2

    assert [event.seq for event in await behind(log, 2)] == [3, 4, 5, 6]


async def test_the_newest_is_never_forgotten_so_that_no_number_is_given_twice(bench: Bench, log: SqliteEvents) -> None:
    await bench.submit(*[Spec(command=["true"])] * 3)

    assert await log.prune(1, "2100", 100) == 2
    assert await log.prune(1, "2100", 100) == 0

    await bench.submit(Spec(command=["true"]))
    assert await log.newest() == 4


async def test_a_restored_log_gives_new_ids_and_knows_no_event_of_what_is_lost(bench: Bench, log: SqliteEvents) -> None:
    await bench.submit(*[Spec(command=["true"])] * 3)
    old, lost = log.id_of(3), log.id_of(5)

    await log.begin_log()
    await bench.submit(*[Spec(command=["true"])] * 3)

    assert log.id_of(3) == old
    assert log.id_of(5) != lost
    assert await log.seq_of(old, "after") == 3
    with pytest.raises(Gone):
        await log.seq_of(lost, "after")
    with pytest.raises(InvalidRequest):
        await log.seq_of("5", "after")


async def test_a_page_ends_early_where_events_are_large(bench: Bench, log: SqliteEvents) -> None:
    large = json.dumps("x" * 600_000)
    events = [NewEvent(EventType.JOB_QUEUED, "default", str(number), data=large) for number in range(4)]
    await bench.database.writer.run(lambda connection: record(connection, *events))

    page = await log.page(0, ALL, 100)

    assert [event.seq for event in page.events] == [1, 2]
    assert (page.upto, page.newest) == (2, 4)


async def test_a_lost_and_given_up_job_is_told_with_its_verdict(bench: Bench, log: SqliteEvents) -> None:
    job, attempt = await bench.placed(JobState.WAITING)

    await bench.make(Move.GIVE_UP, job, attempt)

    *_, lost, decided = await behind(log, 0)
    assert (lost.type, decided.type) == (EventType.JOB_LOST, EventType.JOB_DECIDED)
    assert data(decided)["verdict"] == "failed"


async def test_the_attempt_and_its_result_are_told(bench: Bench, log: SqliteEvents) -> None:
    job, attempt = await bench.placed(JobState.RUNNING)
    await bench.make(Move.FINISH, job, attempt)

    finished = (await behind(log, 0))[-1]

    assert data(finished)["attempt"] == {"attempt_id": attempt, "number": 1, "worker_id": ANNA}
    assert data(finished)["result"]["exit_code"] == 0
    assert JobId(finished.subject) == job
