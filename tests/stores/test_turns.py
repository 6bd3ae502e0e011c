"""Fair turns, whatever is submitted and claimed in whatever order. Source: protocol/turns.py; decision 17."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota.protocol.decide import Decision
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.states import JobState
from rota.protocol.turns import AGE_S
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.sqlite import job_moves as moves
from rota.storage.sqlite.database import migrate
from rota.storage.sqlite.decision_moves import decide, retry
from rota.storage.sqlite.gate import release
from rota.storage.sqlite.lease_moves import lose
from rota.storage.sqlite.placement import queue_key
from rota.storage.sqlite.writer import connect
from rota.storage.stores.claims import Claim
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import NewJob
from stores.bench import ANNA, NOW, ONE, WORLD

_number = itertools.count()
BEGAN = parse_timestamp(NOW)

examples = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Submitter(NamedTuple):
    """Who submits, and how much its tenant gets."""

    name: str
    tenant: str = ""
    weight: float = 1.0


class Line:
    """An environment of its own, whose jobs are known by who submitted them."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.environment = f"line-{next(_number)}"
        self._whose: dict[JobId, Submitter] = {}
        self.waiting: Counter[Submitter] = Counter()
        self.now: datetime = BEGAN

    def submit(
        self, by: Submitter, count: int = 1, priority: int = 0, hold: Hold | None = None, **requires: str
    ) -> list[JobId]:
        """Jobs of one submission."""
        key, spec = QueueKey(self.environment, "process", requires), Spec(command=["true"], priority=priority)
        jobs = [
            NewJob(JobId(WORLD.new_id()), spec, key, timestamp(self.now), by.name, None, [], hold, by.tenant, by.weight)
            for _ in range(count)
        ]
        if jobs:
            moves.submit(self._connection, jobs, None)
        self._whose |= dict.fromkeys((job.id for job in jobs), by)
        self.waiting[by] += count
        return [job.id for job in jobs]

    def claim(self, slots: int = 1, **requires: str) -> list[JobId]:
        """What a worker is given that serves these queues alone."""
        keys = [queue_key(self._connection, QueueKey(self.environment, "process", requires))]
        return self._claim(keys, slots)

    def claim_any(self, slots: int = 1) -> list[JobId]:
        """What a worker is given that serves all queues."""
        found = self._connection.execute("SELECT id FROM queue_key WHERE environment = ?", (self.environment,))
        return self._claim([row[0] for row in found], slots)

    def served(self, slots: int = 1) -> list[str]:
        """Whose the jobs are that a worker is given."""
        return [self._whose[job].name for job in self.claim_any(slots)]

    def give_back(self, job: JobId) -> None:
        """The worker refuses it."""
        attempt = self._connection.execute("SELECT attempt_id FROM job WHERE id = ?", (job,)).get
        assert moves.refuse(self._connection, ANNA, AttemptId(str(attempt)), "no room", NOW).problem is None
        self.waiting[self._whose[job]] += 1

    def _claim(self, keys: list[int], slots: int) -> list[JobId]:
        attempts = [AttemptId(WORLD.new_id()) for _ in range(slots)]
        at = timestamp(self.now)
        claimed = moves.claim(self._connection, Claim(ANNA, ONE, None, keys, attempts, at, at))
        given = [one.job_id for one in claimed.leased]
        self.waiting.subtract(self._whose[job] for job in given)
        return given


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    path: Path = tmp_path_factory.mktemp("turns") / "rota.db"
    migrate(path, "jobs")
    opened = connect(path)
    opened.execute("PRAGMA synchronous=OFF")
    yield opened
    opened.close()


A, B = Submitter("a"), Submitter("b")
WEIGHTS = st.sampled_from([0.5, 1.0, 2.0, 3.0, 10.0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("a"), st.integers(1, 12)),
        st.tuples(st.just("b"), st.integers(1, 12)),
        st.tuples(st.just("claim"), st.integers(1, 6)),
    ),
    min_size=4,
    max_size=40,
)


@examples
@given(steps=STEPS, weight_a=WEIGHTS, weight_b=WEIGHTS)
def test_two_that_wait_are_served_within_one_job_of_their_weights(
    connection: apsw.Connection, steps: list[tuple[str, int]], weight_a: float, weight_b: float
) -> None:
    """In every stretch in which both have jobs waiting, however long: so who was idle before it has gained nothing."""
    line = Line(connection)
    both = {"a": Submitter("a", "physics", weight_a), "b": Submitter("b", "biology", weight_b)}
    lead, lowest, highest = 0.0, 0.0, 0.0  # a's service against b's since both wait, and its extremes
    for who, count in steps:
        if who in both:
            both_waited = min(line.waiting[one] for one in both.values()) > 0
            line.submit(both[who], count)
            if not both_waited:
                lead = lowest = highest = 0.0
            continue
        for _ in range(count):
            are_waiting = min(line.waiting[one] for one in both.values()) > 0
            for whose in line.served():
                lead += 1 / weight_a if whose == "a" else -1 / weight_b
            if are_waiting:
                lowest, highest = min(lowest, lead), max(highest, lead)
                assert highest - lowest <= 1 / weight_a + 1 / weight_b + 1e-9


@examples
@given(backlog=st.integers(1, 60), served=st.integers(0, 40), own=st.integers(1, 20))
def test_who_was_away_gains_nothing_by_it(connection: apsw.Connection, backlog: int, served: int, own: int) -> None:
    line = Line(connection)
    line.submit(B)
    line.submit(A, served + backlog)
    line.served(served + 1)

    line.submit(B, own)

    theirs = line.served(2 * min(own, backlog))
    ahead = itertools.accumulate(1 if whose == "b" else -1 for whose in theirs)
    assert max(ahead) <= 1


@examples
@given(backlogs=st.lists(st.integers(1, 15), min_size=1, max_size=8), served=st.integers(0, 60))
def test_a_newcomer_waits_for_one_turn_of_each_other_at_most(
    connection: apsw.Connection, backlogs: list[int], served: int
) -> None:
    line = Line(connection)
    for number, count in enumerate(backlogs):
        line.submit(Submitter(f"s{number}"), count)
    line.served(served)

    line.submit(Submitter("newcomer"))

    before = Counter(itertools.takewhile(lambda whose: whose != "newcomer", line.served(sum(backlogs) + 1)))
    assert all(turns == 1 for turns in before.values())


@examples
@given(low=st.integers(-100, 20), gap=st.integers(1, 8), pace_s=st.sampled_from([30.0, 100.0, 599.0, 1000.0]))
def test_an_old_job_is_served_under_an_endless_stream_of_higher_ones(
    connection: apsw.Connection, low: int, gap: int, pace_s: float
) -> None:
    line = Line(connection)
    [old] = line.submit(A, priority=low)
    waited_s = 0.0
    line.submit(B, priority=low + gap)
    while old not in line.claim_any():
        waited_s += pace_s
        assert waited_s <= gap * AGE_S + pace_s
        line.now = BEGAN + timedelta(seconds=waited_s)
        line.submit(B, priority=low + gap)

    assert waited_s >= gap * AGE_S


def test_waiting_lifts_a_job_to_the_highest_priority_and_there_the_older_is_first(connection: apsw.Connection) -> None:
    line = Line(connection)
    [low] = line.submit(A, priority=0)
    line.now += timedelta(seconds=1)
    [high] = line.submit(A, priority=100)
    line.now += timedelta(days=30)
    [late] = line.submit(B, priority=100)

    assert line.claim_any(3) == [low, high, late]


@examples
@given(count=st.integers(2, 12), back=st.integers(0, 11), more=st.integers(0, 5))
def test_what_is_given_back_stands_where_it_stood(
    connection: apsw.Connection, count: int, back: int, more: int
) -> None:
    line = Line(connection)
    line.submit(A, count)
    line.submit(B, count)
    order = line.claim_any(count)
    line.submit(B, more)

    line.give_back(order[back % count])

    assert line.claim_any() == [order[back % count]]


def test_what_was_given_back_gives_a_newcomer_no_credit(connection: apsw.Connection) -> None:
    line = Line(connection)
    [first] = line.submit(A)
    line.submit(B, 200)
    assert line.claim_any() == [first]
    line.served(100)
    line.give_back(first)

    line.submit(Submitter("newcomer"), 100)

    assert line.served() == ["a"]
    theirs = line.served(40)
    assert abs(theirs.count("newcomer") - theirs.count("b")) <= 1


@pytest.mark.parametrize("left", [0, 3])
def test_turns_of_cancelled_jobs_are_not_lost(connection: apsw.Connection, left: int) -> None:
    line = Line(connection)
    mistaken = line.submit(A, 500)
    line.submit(B, 100)
    line.served(10)
    for job in mistaken[5 + left :]:
        connection.execute("UPDATE job SET state = 'cancelled' WHERE id = ?", (job,))

    line.submit(A, 40)

    theirs = line.served(60)
    assert abs(theirs.count("a") - theirs.count("b")) <= 1


def test_a_queue_whose_workers_have_served_less_is_no_disadvantage_to_a_newcomer(connection: apsw.Connection) -> None:
    line = Line(connection)
    line.submit(A, 300, gpu="a100")
    line.submit(B, 300)
    line.claim(300, gpu="a100")

    [new] = line.submit(Submitter("newcomer"))

    assert new in line.claim(2)


def test_jobs_of_two_queues_are_one_submitters_turns(connection: apsw.Connection) -> None:
    line = Line(connection)
    for number in range(20):
        line.submit(A, 1, cores=str(number))
    line.submit(B, 20)

    theirs = line.served(20)

    assert abs(theirs.count("a") - theirs.count("b")) <= 1


def test_submitters_of_one_tenant_share_its_turns(connection: apsw.Connection) -> None:
    line = Line(connection)
    team = [Submitter("p1", "physics"), Submitter("p2", "physics")]
    for _ in range(50):
        for one in (*team, B):
            line.submit(one)

    theirs = Counter(line.served(60))

    assert 28 <= theirs["b"] <= 32
    assert abs(theirs["p1"] - theirs["p2"]) <= 2


def test_who_has_been_overtaken_is_forgotten(connection: apsw.Connection) -> None:
    line = Line(connection)
    for number in range(100):
        line.submit(Submitter(f"s{number}"), 2)
        line.served(2)

    kept = connection.execute("SELECT count(*) FROM submitter WHERE environment = ?", (line.environment,)).get
    assert kept <= 3


def test_who_waits_is_not_forgotten(connection: apsw.Connection) -> None:
    """Though workers that cannot serve its queue have run ahead: it would stand before its own jobs."""
    line = Line(connection)
    line.submit(A, 300, gpu="a100")
    waiting = line.submit(B, 10)
    line.claim(300, gpu="a100")
    for number in range(20):
        line.submit(Submitter(f"s{number}"), gpu="a100")

    [later] = line.submit(B)

    assert line.claim(11) == [*waiting, later]


def test_a_person_who_runs_a_job_again_stands_behind_what_was_queued_meanwhile(connection: apsw.Connection) -> None:
    line = Line(connection)
    [again] = line.submit(A)
    assert line.claim_any() == [again]
    connection.execute("UPDATE job SET state = 'finished' WHERE id = ?", (again,))
    connection.execute("UPDATE attempt SET state = 'finished' WHERE job_id = ?", (again,))
    later = line.submit(A, 3)

    retry(connection, again, None, NOW)

    assert line.claim_any(4) == [*later, again]


def test_who_was_held_back_takes_its_turn_when_it_is_let_in(connection: apsw.Connection) -> None:
    line = Line(connection)
    [held] = line.submit(A, hold=Hold(ready_at="2999-01-01T00:00:00.000000Z"))
    first, *_ = line.submit(B, 50)
    second, *_ = line.submit(A, 50)
    assert line.claim_any(40)[:2] == [first, second]
    connection.execute("UPDATE job SET ready_at = NULL WHERE id = ?", (held,))

    assert release(connection, held, NOW) is not None

    rank, queued_at = connection.execute("SELECT rank, queued_at FROM job WHERE id = ?", (held,)).get
    assert (rank, queued_at) == (50, NOW)


def test_what_is_tried_again_stands_where_it_stood(connection: apsw.Connection) -> None:
    line = Line(connection)
    line.submit(A, 3)
    again, *_ = line.claim_any(2)
    attempt = connection.execute("SELECT attempt_id FROM job WHERE id = ?", (again,)).get
    connection.execute("UPDATE attempt SET state = 'running' WHERE id = ?", (attempt,))
    connection.execute("UPDATE job SET state = 'running' WHERE id = ?", (again,))
    assert lose(connection, AttemptId(str(attempt)), NOW, "gone").state is JobState.WAITING

    decide(connection, Decision(again, AttemptId(str(attempt)), JobState.WAITING, None), NOW)

    assert line.claim_any() == [again]
