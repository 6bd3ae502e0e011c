"""POST /gateway/v1/job-finished. Source: protocol.md, "jobFinished"; guarantees.md, G5, G7, F23, F37, F41, F42."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from house import HandWorker, Json, described, ended, finished, inline
from participants.place import MOMENT, Place, received, refused, rejected

CALL = "/gateway/v1/job-finished"


def test_the_result_is_shown_as_it_was_told_whatever_the_exit_code(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    report = finished(attempt, exit_code=3, problems=[{"what": "artifact", "path": "x", "message": "too large"}])
    report["result"]["value"] = {"deep": [1, 2.5, "é", None, True, 10**30]}

    answer = worker.finish(report)

    assert (answer.status_code, answer.json()) == (200, {"received": [attempt], "rejected": []})
    shown = ended(place.admin, job)
    assert (shown["state"], shown["verdict"]) == ("finished", "failed")
    assert shown["result"]["value"]["deep"][:5] == [1, 2.5, "é", None, True]
    assert {**shown["result"], "value": None} == {**report["result"], "value": None}
    [tried] = shown["attempts"]
    assert tried["result"] == shown["result"]
    assert tried["problems"] == report["problems"]
    assert all(MOMENT.match(tried[name]) for name in ("assigned_at", "started_at", "finished_at"))


@pytest.mark.parametrize(
    ("result", "state", "verdict"),
    [
        ({"exit_code": 0, "reason": "exited"}, "finished", "succeeded"),
        ({"exit_code": 255, "reason": "exited"}, "finished", "failed"),
        ({"exit_code": None, "signal": "SIGKILL", "reason": "signaled"}, "finished", "failed"),
        ({"exit_code": None, "signal": "SIGTERM", "reason": "timed_out"}, "finished", "failed"),
        ({"exit_code": None, "reason": "out_of_memory"}, "finished", "failed"),
        ({"exit_code": 0, "reason": "out_of_memory"}, "finished", "failed"),
        ({"exit_code": None, "reason": "not_started", "message": "no such program"}, "finished", "failed"),
        ({"exit_code": None, "reason": "cancelled"}, "cancelled", "failed"),
    ],
)
def test_every_reason(place: Place, worker: HandWorker, result: Json, state: str, verdict: str) -> None:
    job, attempt = place.held(worker)
    report = finished(attempt)
    report["result"] |= result

    assert received(worker.finish(report)) == [attempt]

    shown = ended(place.admin, job)
    assert (shown["state"], shown["verdict"]) == (state, verdict)
    assert shown["result"]["reason"] == result["reason"]


def test_sent_again_it_answers_the_same_and_changes_nothing(place: Place, worker: HandWorker) -> None:
    job, attempt = place.ended(worker, log=b"log")
    before = place.job(job)

    for _ in range(3):
        assert received(worker.finish(finished(attempt, b"log"))) == [attempt]

    assert place.job(job) == before
    assert worker.get_job() == []


@pytest.mark.parametrize("change", ["exit_code", "log", "artifact", "time"])
def test_sent_again_with_another_result_it_is_a_conflict(place: Place, worker: HandWorker, change: str) -> None:
    job, attempt = place.ended(worker, log=b"log")
    before = place.job(job)
    other = {
        "exit_code": finished(attempt, b"log", 1),
        "log": finished(attempt, b"other"),
        "artifact": finished(attempt, b"log", artifacts=[{"path": "x", "mode": 0o644, **inline(b"")}]),
        "time": finished(attempt, b"log", finished_at="2026-11-23T12:00:01.000000Z"),
    }[change]

    assert rejected(worker.finish(other).json()) == [(attempt, "conflict")]

    assert place.job(job) == before
    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == b"log"
    assert place.admin.get(f"/api/v1/jobs/{job}/artifacts").json() == {"artifacts": []}


def test_each_attempt_of_a_message_is_answered_for_itself(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    foreign_job, foreign = place.held(place.worker("other"))
    _, done = place.ended(worker)

    told = worker.finish(
        finished("unknown"), finished(foreign), finished(attempt), finished(done, exit_code=9), finished(attempt)
    ).json()

    assert told["received"] == [attempt, attempt]
    assert rejected(told) == [("unknown", "not-found"), (foreign, "not-found"), (done, "conflict")]
    assert told["rejected"][0]["problem"] == told["rejected"][1]["problem"]
    assert (place.state(job), place.state(foreign_job)) == ("finished", "assigned")


def damaged(report: Json, where: str) -> tuple[Json, str]:
    """The report with one thing that cannot be taken, and the slug that says so."""
    artifact = report["artifacts"][0]
    changes: dict[str, tuple[Json, Json, str]] = {
        "digest of an artifact": (artifact, {"sha256": "0" * 64}, "conflict"),
        "size of an artifact": (artifact, {"size_bytes": 4}, "conflict"),
        "bytes of an artifact": (artifact, {"inline": None}, "conflict"),
        "digest of the log": (report["log"], {"sha256": "0" * 64}, "conflict"),
        "bytes of the log": (report["log"], {"inline": None}, "conflict"),
        "base64": (report["log"], {"inline": "%"}, "invalid-request"),
        "inline too large": (report["log"], inline(b"x" * 65_537), "invalid-request"),
        "path upwards": (artifact, {"path": "a/../../x"}, "invalid-request"),
        "path absolute": (artifact, {"path": "/etc/passwd"}, "invalid-request"),
        "path with NUL": (artifact, {"path": "a\0b"}, "invalid-request"),
        "path twice": (report["artifacts"][1], {"path": artifact["path"]}, "invalid-request"),
        "no such moment": (report, {"finished_at": "2026-99-99T99:99:99Z"}, "invalid-request"),
    }
    what, change, slug = changes[where]
    what |= change
    return report, slug


@pytest.mark.parametrize(
    "where",
    [
        "digest of an artifact", "size of an artifact", "bytes of an artifact", "digest of the log", "bytes of the log",
        "base64", "inline too large", "path upwards", "path absolute", "path with NUL", "path twice", "no such moment",
    ],
)  # fmt: skip
def test_while_anything_is_wrong_nothing_is_recorded_and_it_can_be_put_right(
    place: Place, worker: HandWorker, where: str
) -> None:
    job, attempt = place.held(worker)
    files = [{"path": path, "mode": 0o644, **inline(b"abc")} for path in ("x", "y")]
    good = finished(attempt, b"log", artifacts=files)
    bad, slug = damaged(copy.deepcopy(good), where)

    assert rejected(worker.finish(bad).json()) == [(attempt, slug)]

    assert place.job(job)["result"] is None
    assert place.state(job) == "assigned"
    assert place.admin.get(f"/api/v1/jobs/{job}/artifacts").json() == {"artifacts": []}
    assert received(worker.finish(good)) == [attempt]
    assert place.admin.get(f"/api/v1/jobs/{job}/artifacts/x").content == b"abc"


def test_what_is_larger_was_uploaded_before_and_is_taken_by_its_digest(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    content = b"0123456789" * 20_000
    report = finished(attempt, log=b"") | {"log": described(content)}
    url = f"/gateway/v1/attempts/{attempt}/log"
    worker.http.patch(url, content=content[:150_000], headers={"Upload-Offset": "0"})
    assert rejected(worker.finish(report).json()) == [(attempt, "conflict")]

    worker.http.patch(url, content=content[150_000:], headers={"Upload-Offset": "150000"})

    assert received(worker.finish(report)) == [attempt]
    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == content


@pytest.mark.parametrize("told", [b"", b"ab", b"zzz", b"abczef"])
@pytest.mark.parametrize("way", [inline, described])
@pytest.mark.parametrize("path", ["log", "artifacts/x"])
def test_bytes_that_were_uploaded_are_not_replaced_by_a_report(
    place: Place, worker: HandWorker, path: str, way: Callable[[bytes], Json], told: bytes
) -> None:
    job, attempt = place.held(worker)
    worker.http.patch(f"/gateway/v1/attempts/{attempt}/{path}", content=b"abcdef", headers={"Upload-Offset": "0"})

    def report(part: Json) -> Json:
        if path == "log":
            return finished(attempt) | {"log": part}
        return finished(attempt, artifacts=[{"path": "x", "mode": 0o644, **part}])

    assert rejected(worker.finish(report(way(told))).json()) == [(attempt, "conflict")]

    assert place.job(job)["result"] is None
    assert received(worker.finish(report(inline(b"abcdefghi")))) == [attempt]
    assert place.admin.get(f"/api/v1/jobs/{job}/{path}").content == b"abcdefghi"


def test_of_a_log_that_could_not_be_collected_what_was_sent_before_is_kept(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.http.patch(f"/gateway/v1/attempts/{attempt}/log", content=b"abcdef", headers={"Upload-Offset": "0"})
    report = finished(attempt, b"", problems=[{"what": "log", "message": "cannot be read"}])

    assert received(worker.finish(report)) == [attempt]
    assert received(worker.finish(report)) == [attempt]

    assert place.admin.get(f"/api/v1/jobs/{job}/log").content == b"abcdef"
    assert place.job(job)["attempts"][0]["problems"] == report["problems"]


def test_exactly_64_kib_may_be_inline(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)

    assert received(worker.finish(finished(attempt, b"x" * 65_536))) == [attempt]
    assert len(place.admin.get(f"/api/v1/jobs/{job}/log").content) == 65_536


def test_a_workers_times_are_shown_in_utc(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    report = finished(attempt, started_at=None, finished_at="2026-11-23T14:00:00.5+02:00")

    received(worker.finish(report))

    [tried] = place.job(job)["attempts"]
    assert (tried["started_at"], tried["finished_at"]) == (None, "2026-11-23T12:00:00.500000Z")
    assert received(worker.finish(report)) == [attempt]


WRONG: list[tuple[str, Any, str]] = [
    ("result", {}, "attempts[0].result.exit_code"),
    ("log", {}, "attempts[0].log.size_bytes"),
    ("log", {"size_bytes": -1, "sha256": "0" * 64}, "attempts[0].log.size_bytes"),
    ("log", {"size_bytes": 1, "sha256": "short"}, "attempts[0].log.sha256"),
    ("artifacts", {}, "attempts[0].artifacts"),
    ("artifacts", [{"path": "x"}], "attempts[0].artifacts[0].size_bytes"),
    ("artifacts", [{"path": "x", **described(b""), "mode": 0o10000}], "attempts[0].artifacts[0].mode"),
    ("finished_at", "noon", "attempts[0].finished_at"),
    ("finished_at", None, "attempts[0].finished_at"),
    ("problems", [{"what": "weather", "message": "x"}], "attempts[0].problems[0].what"),
    ("surprise", 1, "attempts[0].surprise"),
]


def test_a_file_is_not_the_folder_of_another(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    both = [{"path": path, **inline(b"x"), "mode": 0o644} for path in ("a/b", "a")]

    told = worker.finish(finished(attempt, artifacts=both)).json()

    assert rejected(told) == [(attempt, "invalid-request")]
    assert [error["field"] for error in told["rejected"][0]["problem"]["errors"]] == ["artifacts[1].path"]
    assert place.state(job) == "assigned"


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"exit_code": None}, "invalid-request"),
        ({"reason": "signaled", "exit_code": None}, "invalid-request"),
        ({"value": "x" * (256 * 1024)}, "too-large"),
    ],
    ids=["exited without a code", "signaled by nothing", "value"],
)
def test_what_cannot_be_meant_is_rejected(place: Place, worker: HandWorker, change: Json, slug: str) -> None:
    job, attempt = place.held(worker)
    report = finished(attempt)
    report["result"] |= change

    told = worker.finish(report).json()

    assert rejected(told) == [(attempt, slug)]
    assert place.state(job) == "assigned"


@pytest.mark.parametrize(
    "change",
    [
        {"reason": "signaled", "signal": "SIGKILL", "exit_code": 137},
        {"reason": "timed_out", "exit_code": None},
        {"value": "x" * (255 * 1024)},
    ],
    ids=["signal and shell's code", "neither", "value"],
)
def test_what_can_be_meant_is_received(place: Place, worker: HandWorker, change: Json) -> None:
    job, attempt = place.held(worker)
    report = finished(attempt, started_at="2026-11-23T13:00:00Z")  # its clock was set back while it ran
    report["result"] |= change

    assert received(worker.finish(report)) == [attempt]
    assert place.state(job) == "finished"


@pytest.mark.parametrize(("name", "value", "field"), WRONG)
def test_a_report_that_is_wrong_is_refused_by_name(
    place: Place,
    worker: HandWorker,
    name: str,
    value: Any,  # noqa: ANN401
    field: str,
) -> None:
    job, attempt = place.held(worker)

    refused(worker.finish(finished(attempt) | {name: value}), 422, "invalid-request", field)

    assert place.state(job) == "assigned"


@pytest.mark.parametrize(
    ("name", "value"), [("reason", "exploded"), ("exit_code", "0"), ("exit_code", 2**40), ("signal", 9), ("mood", 1)]
)
def test_a_result_that_is_wrong_is_refused_by_name(worker: HandWorker, name: str, value: object) -> None:
    report = finished("x")
    report["result"][name] = value

    refused(worker.finish(report), 422, "invalid-request", f"attempts[0].result.{name}")


def test_a_value_beyond_numbers_and_nesting_is_refused_and_no_fault(worker: HandWorker) -> None:
    text = json.dumps({"attempts": [finished("x")]})
    number = text.replace('"value": null', '"value": 1e999')
    deep = text.replace('"value": null', '"value": ' + "[" * 50_000 + "]" * 50_000)

    refused(worker.http.post(CALL, content=number), 422, "invalid-request", "attempts[0].result.value")
    refused(worker.http.post(CALL, content=deep), 400, "invalid-request")
    refused(worker.post(CALL, {"attempts": []}), 422, "invalid-request", "attempts")
