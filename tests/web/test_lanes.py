"""The timeline's lanes, as a plain function."""

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.states import AttemptState
from rota.protocol.timeline import Run, Timeline
from rota.web.lanes import ROW, ROWS_MAX, WIDTH, lanes

NOON = "2026-11-23T12:00:00.000000Z"


def run(began_at: str, ran_s: float | None, number: int = 1) -> Run:
    state = AttemptState.RUNNING if ran_s is None else AttemptState.FINISHED
    return Run(AttemptId(str(number)), JobId("j"), None, WorkerId("w"), state, began_at, ran_s, 0)


def drawn(*runs: Run) -> list[tuple[float, int, float]]:
    lane = lanes(Timeline(NOON, 3600, [*reversed(runs)]))[WorkerId("w")]
    return [(bar.x, bar.y, bar.width) for bar in lane.bars]


def test_a_bar_stands_where_its_attempt_was() -> None:
    assert drawn(run("2026-11-23T11:30:00.000000Z", 900)) == [(WIDTH / 2, 0, WIDTH / 4)]


def test_what_runs_reaches_to_the_end_and_what_began_before_from_the_start() -> None:
    assert drawn(run("2026-11-23T10:00:00.000000Z", None)) == [(0, 0, WIDTH)]


def test_a_short_one_can_be_seen() -> None:
    assert drawn(run("2026-11-23T11:30:00.000000Z", 0.001))[0][2] >= 2


def test_those_that_overlap_stand_below_each_other_and_no_deeper_than_a_lane() -> None:
    half = run("2026-11-23T11:30:00.000000Z", 600)
    assert [y for _, y, _ in drawn(half, half, run("2026-11-23T11:45:00.000000Z", 60))] == [0, ROW, 0]
    assert max(y for _, y, _ in drawn(*[half] * 50)) == (ROWS_MAX - 1) * ROW
