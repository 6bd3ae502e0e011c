"""GET /api/v1/jobs/{id}/log: by range, and live as server-sent events. Source: protocol.md; guarantees.md, F28, F29."""

import base64
import json
from collections.abc import Iterator

import httpx2
import pytest

from house import HandWorker, Json, finished
from participants.place import Place, received, refused

BYTES = bytes(range(256)) + b"</script>\x1b]52;c;x\x07\r\n\0" + "é".encode()[:1]


def path(job: str) -> str:
    return f"/api/v1/jobs/{job}/log"


def append(worker: HandWorker, attempt: str, offset: int, piece: bytes) -> httpx2.Response:
    return worker.http.patch(
        f"/gateway/v1/attempts/{attempt}/log", content=piece, headers={"Upload-Offset": str(offset)}
    )


class Events:
    """A stream of events, read one by one."""

    def __init__(self, client: httpx2.Client, job: str, last: str | None = None, **params: str) -> None:
        headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
        self._stream = client.stream("GET", path(job), headers=headers, params=params, timeout=20)
        self.answer = self._stream.__enter__()
        self._lines = self.answer.iter_lines()

    def __enter__(self) -> Iterator[Json]:
        assert self.answer.status_code == 200
        assert self.answer.headers["content-type"].startswith("text/event-stream")
        return self._events()

    def __exit__(self, *_: object) -> None:
        self._stream.__exit__(None, None, None)

    def _events(self) -> Iterator[Json]:
        event: Json = {}
        data: list[str] = []
        for line in self._lines:
            name, _, value = line.partition(":")
            if line == "":
                if data:
                    yield {"event": "message", **event, "data": "\n".join(data)}
                event, data = {}, []
            elif name == "data":
                data.append(value.removeprefix(" "))
            elif name:
                event[name] = value.removeprefix(" ")


def test_the_bytes_come_back_as_they_were_written(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=BYTES)

    answer = place.admin.get(path(job))

    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=5-9", 206, 5, 10),
        ("bytes=5-", 206, 5, 20),
        ("bytes=-3", 206, 17, 20),
        ("bytes=-99", 206, 0, 20),
        ("bytes=10-99", 206, 10, 20),
        ("bytes=x-y", 200, 0, 20),
        ("lines=1-2", 200, 0, 20),
        ("bytes=9-5", 200, 0, 20),
        ("bytes=5-" + "9" * 40, 206, 5, 20),
        ("bytes=-" + "9" * 5000, 206, 0, 20),
        ("bytes=" + "0" * 40 + "5-9", 206, 5, 10),
    ],
)
def test_a_range_of_it(place: Place, asked: str, status: int, start: int, end: int) -> None:
    content = bytes(range(65, 85))
    job, _ = place.ended(place.worker(), log=content)

    answer = place.admin.get(path(job), headers={"Range": asked})

    assert (answer.status_code, answer.content) == (status, content[start:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/20"


@pytest.mark.parametrize("asked", ["bytes=20-", "bytes=99-100", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_that_is_not_there_is_416_with_the_size(place: Place, asked: str) -> None:
    job, _ = place.ended(place.worker(), log=b"x" * 20)

    answer = place.admin.get(path(job), headers={"Range": asked})

    assert refused(answer, 416, "range-not-satisfiable")["size_bytes"] == 20
    assert answer.headers["content-range"] == "bytes */20"


def test_what_is_there_while_it_runs_and_nothing_while_it_waits(place: Place, worker: HandWorker) -> None:
    job = place.submit()
    assert place.admin.get(path(job)).content == b""
    [offer] = worker.get_job()

    append(worker, offer["attempt_id"], 0, b"so far")

    assert place.admin.get(path(job)).content == b"so far"
    assert place.admin.get(path(job), headers={"Range": "bytes=3-"}).content == b"far"


def test_each_try_has_its_log(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=b"first")
    assert place.admin.post(f"/api/v1/jobs/{job}/retry").status_code == 200
    [offer] = worker.get_job()
    received(worker.finish(finished(offer["attempt_id"], b"second")))

    assert place.admin.get(path(job)).content == b"second"
    assert place.admin.get(path(job), params={"attempt": 1}).content == b"first"
    assert place.admin.get(path(job), params={"attempt": 2}).content == b"second"
    refused(place.admin.get(path(job), params={"attempt": 3}), 404, "not-found")
    for wrong in ("0", "1.5", "x", "-1"):
        refused(place.admin.get(path(job), params={"attempt": wrong}), 422, "invalid-request", "attempt")


def test_events_of_a_log_that_is_whole(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=b"one\ntwo\n", exit_code=4)

    with Events(place.admin, job) as events:
        *pieces, end = list(events)

    assert "".join(piece["data"] for piece in pieces) == "one\ntwo\n"
    assert pieces[-1]["id"] == "8"
    assert (end["event"], end["id"]) == ("end", "8")
    told = json.loads(end["data"])
    assert (told["state"], told["verdict"], told["result"]["exit_code"]) == ("finished", "failed", 4)


def test_who_follows_a_job_that_is_run_once_more_is_shown_the_new_try_alone(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=b"first")
    place.admin.post(f"/api/v1/jobs/{job}/retry")

    with Events(place.admin, job, encoding="base64") as events:
        [offer] = worker.get_job()
        received(worker.finish(finished(offer["attempt_id"], b"second")))
        told = list(events)

    assert [event["event"] for event in told] == ["attempt", "message", "end"]
    assert base64.b64decode(told[1]["data"]) == b"second"


def test_events_carry_any_byte_in_base64(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=BYTES)

    with Events(place.admin, job, encoding="base64") as events:
        pieces = [event["data"] for event in events if event["event"] == "message"]

    assert b"".join(base64.b64decode(piece) for piece in pieces) == BYTES


def test_events_come_live_and_end_with_the_job(place: Place, worker: HandWorker) -> None:
    job = place.submit()
    with Events(place.admin, job) as events:
        [offer] = worker.get_job()
        attempt = offer["attempt_id"]
        append(worker, attempt, 0, b"one\n")
        assert next(events)["data"] == "one\n"
        append(worker, attempt, 4, b"two\n")
        second = next(events)
        assert (second["data"], second["id"]) == ("two\n", "8")
        log = b"one\ntwo\nthree\n"
        append(worker, attempt, 8, b"three\n")
        received(worker.finish(finished(attempt, log) | {"log": finished(attempt, log)["log"] | {"inline": None}}))
        rest = list(events)

    assert [event["event"] for event in rest] == ["message", "end"]
    assert rest[0]["data"] == "three\n"


def test_a_stream_that_broke_off_goes_on_behind_its_last_event(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    append(worker, attempt, 0, b"abcdef")
    with Events(place.admin, job) as events:
        last = next(events)["id"]
    append(worker, attempt, 6, b"ghi")

    with Events(place.admin, job, last) as events:
        assert next(events)["data"] == "ghi"
    with Events(place.admin, job, "2") as events:
        assert next(events)["data"] == "cdefghi"


def test_an_event_id_behind_the_end_of_a_log_is_no_whole_log(place: Place, worker: HandWorker) -> None:
    job, _ = place.ended(worker, log=b"x" * 20)
    stream = {"Accept": "text/event-stream"}

    answer = place.admin.get(path(job), headers=stream | {"Last-Event-ID": "21"})

    assert refused(answer, 409, "offset-mismatch")["offset"] == 20
    with Events(place.admin, job, "20") as events:
        assert [event["event"] for event in events] == ["end"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30])
def test_an_event_id_that_is_no_offset_is_refused(place: Place, last: str) -> None:
    job = place.submit()

    answer = place.admin.get(path(job), headers={"Accept": "text/event-stream", "Last-Event-ID": last})

    refused(answer, 422, "invalid-request", "Last-Event-ID")


def test_a_follower_is_told_of_the_next_attempt(quick: Place) -> None:
    worker, other = quick.worker(), quick.worker("other")
    job, attempt = quick.held(worker)
    with Events(quick.admin, job) as events:
        append(worker, attempt, 0, b"of the first")
        assert next(events)["data"] == "of the first"
        [offer] = other.get_job(wait_s=10)  # the first one's lease runs out
        append(other, offer["attempt_id"], 0, b"of the second")
        switch, piece = next(events), next(events)
        other.finish(finished(offer["attempt_id"], b"of the second"))
        end = list(events)[-1]

    assert (switch["event"], switch["id"]) == ("attempt", "0")
    assert json.loads(switch["data"])["number"] == 2
    assert (piece["data"], end["event"]) == ("of the second", "end")


def test_what_is_not_utf_8_is_still_an_event_and_no_character_is_cut(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    whole = "é".encode()
    append(worker, attempt, 0, whole[:1])
    with Events(place.admin, job) as events:
        append(worker, attempt, 1, whole[1:] + b"\xff")
        assert next(events)["data"] == "é\N{REPLACEMENT CHARACTER}"
