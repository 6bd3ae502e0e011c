"""GET /api/v1/overview: how it goes, from Rota's own store. Source: protocol.md, "Overview"."""

from datetime import UTC, datetime, timedelta

import pytest

from house import Json
from participants.place import Place, refused
from rota.jobs.overview import first_id, groups, last_line, periods
from rota.protocol.ids import JobId
from rota.storage.stores.tallies import Depth, Failure, Tally
from rota.world import SystemWorld

OVERVIEW = "/api/v1/overview"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def overview(place: Place, window_s: int = 3600) -> Json:
    found: Json = place.admin.get(OVERVIEW, params={"environment": place.name, "window_s": window_s}).json()
    return found


@pytest.mark.parametrize("window_s", [3600, 86400, 7 * 86400])
def test_what_was_decided_is_counted_in_its_period(place: Place, window_s: int) -> None:
    worker = place.worker()
    for exit_code in (0, 0, 1):
        place.ended(worker, exit_code=exit_code)
    waiting = place.submit()
    place.admin.post(f"/api/v1/jobs/{place.submit()}/cancel")

    told = overview(place, window_s)

    periods = told["periods"]
    assert len(periods) * told["period_s"] == told["window_s"] == window_s
    assert sum(one["succeeded"] for one in periods) == 2
    assert sum(one["failed"] for one in periods) == 1
    assert told["queued"] == 1
    assert periods[-1]["succeeded"] + periods[-2]["succeeded"] == 2
    place.admin.post(f"/api/v1/jobs/{waiting}/cancel")


def test_failures_are_together_that_said_the_same_last(place: Place) -> None:
    worker = place.worker()
    first, _ = place.ended(worker, exit_code=1, log=b"step 1\n\x1b[31mdisk 7 is full\x1b[0m\n\n")
    second, _ = place.ended(worker, exit_code=1, log=b"disk 12 is full")
    place.ended(worker, exit_code=1)
    place.ended(worker, exit_code=0, log=b"disk 3 is full")

    told = overview(place)["failures"]

    assert [(group["count"], group["said"], group["job_ids"]) for group in told] == [
        (2, "disk 12 is full", [second, first]),
        (1, "exit 1, without a word", told[1]["job_ids"]),
    ]


def test_a_credential_of_one_environment_sees_that_alone(place: Place, quick: Place) -> None:
    place.ended(place.worker(), exit_code=1)
    viewer = quick.client("view")

    own = viewer.get(OVERVIEW).json()

    assert sum(one["failed"] for one in own["periods"]) == 0
    refused(viewer.get(OVERVIEW, params={"environment": place.name}), 403, "forbidden")


@pytest.mark.parametrize("window", ["0", "61", "-1", "x", "1e9"])
def test_another_window_is_refused_by_name(place: Place, window: str) -> None:
    refused(place.admin.get(OVERVIEW, params={"window_s": window}), 422, "invalid-request")


def test_periods_hold_means_of_all_their_minutes_and_the_greatest_depth() -> None:
    tallies = [Tally("2026-11-23T12:00", 1, 0, 0, 4.0, 1.0), Tally("2026-11-23T12:29", 0, 2, 1, 8.0, 3.0)]
    depths = [Depth("2026-11-23T12:05", 7, 1), Depth("2026-11-23T12:06", 3, 2)]

    first, second = periods(NOON, 1800, 2, tallies, depths)

    assert (first.succeeded, first.failed, first.cancelled) == (1, 2, 1)
    assert (first.waited_s, first.ran_s) == (3.0, 1.0)
    assert (first.queued, first.running) == (7, 2)
    assert (second.succeeded, second.queued) == (0, 0)
    assert second.at == (NOON + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", ""), (b"\n \n", ""), (b"a\nb\n\n", "b"), (b"10 %\r20 %\r30 %", "30 %"),
        (b"\xff\n", "\N{REPLACEMENT CHARACTER}"),
        (b"\x1b]8;;http://x\x07link\x1b]8;;\x07\n", "link"), (b"x" * 999, "x" * 160),
    ],
)  # fmt: skip
def test_the_last_line_is_the_last_that_says_anything(log: bytes, said: str) -> None:
    assert last_line(log) == said


def test_the_most_frequent_failures_come_first_and_no_more_than_ten() -> None:
    said = [f"{'abcdefghijklmnop'[n]} failed" for n in range(16) for _ in range(n + 1)]
    failures = [(Failure(JobId(str(n)), None, None, None, None, None), words) for n, words in enumerate(said)]

    counts = [group.count for group in groups(failures)]

    assert counts == list(range(16, 6, -1))


def test_the_timeline_tells_who_ran_what(place: Place) -> None:
    worker = place.worker()
    done, first = place.ended(worker, exit_code=3)
    held, second = place.running(worker, name="at it")

    told = place.admin.get("/api/v1/timeline", params={"environment": place.name}).json()

    assert [(run["attempt_id"], run["job_id"], run["state"], run["exit_code"]) for run in told["runs"]] == [
        (second, held, "running", None), (first, done, "finished", 3),
    ]  # fmt: skip
    assert (told["runs"][0]["name"], told["runs"][0]["ran_s"], told["is_cut"]) == ("at it", None, False)


def test_ids_stand_in_the_order_of_their_time() -> None:
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    early, late = (SystemWorld().new_id() for _ in range(2))

    assert first_id(at) < first_id(at + timedelta(milliseconds=1))
    assert first_id(datetime.now(UTC) - timedelta(seconds=5)) < early <= late
    assert late < first_id(datetime.now(UTC) + timedelta(seconds=5))
