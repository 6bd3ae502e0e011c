"""`retry` over HTTP, with workers played by hand: who is tried again, when, where, and when it is over.

Source: protocol.md, `retry`; decision 0019.
"""

import json
import threading
import time
from typing import Any

import pytest

from house import HandWorker, Json, finished
from participants.place import Place, beat, received, refuse, refused
from waiting import until

TWICE: Json = {"max_attempts": 2}


def end(worker: HandWorker, attempt: str, exit_code: int, log: bytes = b"", **more: object) -> None:
    """JobFinished, received."""
    report = finished(attempt, log, exit_code)
    report["result"] |= more
    assert received(worker.finish(report)) == [attempt]


def fail(place: Place, worker: HandWorker, job: str, exit_code: int = 1, log: bytes = b"", **more: object) -> Json:
    """The next try of this job ends so; returns the job when the scheduler has said its word."""
    [offer] = worker.get_job(wait_s=10)
    assert offer["job_id"] == job
    end(worker, offer["attempt_id"], exit_code, log, **more)
    return decided(place, job)


def decided(place: Place, job: str) -> Json:
    """The job, once no end of it is undecided."""
    until(lambda: not is_undecided(place.job(job)), 10, "the scheduler's word")
    return place.job(job)


def is_undecided(job: Json) -> bool:
    held = bool(job["attempts"]) and job["attempts"][-1]["state"] in {"assigned", "running"}
    return (job["state"] == "finished" and job["verdict"] is None) or held


def over(place: Place, job: str, wait_s: float = 20) -> Json:
    """One question, held until the job is over."""
    found: Json = place.admin.get(f"/api/v1/jobs/{job}", params={"wait_s": wait_s}).json()
    return found


def test_what_failed_is_tried_again_until_it_succeeds_and_each_try_is_kept(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={"max_attempts": 3})

    first = fail(place, worker, job, 75, b"one")
    second = fail(place, worker, job, 7, b"two")
    third = fail(place, worker, job, 0, b"three")

    assert (first["state"], first["verdict"], first["result"]) == ("queued", None, None)
    assert first["message"] == "exit 75, try 1 of 3, again at once"
    assert second["message"] == "exit 7, try 2 of 3, again at once"
    assert (third["state"], third["verdict"], third["message"]) == ("finished", "succeeded", "try 3 succeeded")
    assert [(one["number"], one["result"]["exit_code"]) for one in third["attempts"]] == [(1, 75), (2, 7), (3, 0)]
    logs = [place.admin.get(f"/api/v1/jobs/{job}/log", params={"attempt": n}).content for n in (1, 2, 3)]
    assert logs == [b"one", b"two", b"three"]


def test_no_more_tries_than_allowed(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry=TWICE)

    fail(place, worker, job)
    done = fail(place, worker, job)

    assert (done["state"], done["verdict"], done["message"]) == ("finished", "failed", "2 of 2 tries used")
    assert worker.get_job() == []


def test_the_next_try_waits_for_its_pause(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={**TWICE, "backoff": {"initial_s": 0.7}})

    waiting = fail(place, worker, job)
    began = time.monotonic()

    assert (waiting["state"], waiting["message"]) == ("waiting", "exit 1, try 1 of 2, again in 0.7 s")
    assert worker.get_job() == []
    assert len(worker.get_job(wait_s=10)) == 1
    assert 0.4 < time.monotonic() - began < 5


def test_a_rule_looks_for_its_pattern_in_the_logs_last_lines_alone(place: Place, worker: HandWorker) -> None:
    retry = {"max_attempts": 9, "on": [{"log": "^connection reset"}]}
    job = place.submit(retry=retry)

    assert fail(place, worker, job, 1, b"begin\nconnection reset by peer\n")["state"] == "queued"
    done = fail(place, worker, job, 1, b"connection reset\n" + b"all is well\n" * 200)

    assert done["verdict"] == "failed"


def test_the_end_of_a_long_uploaded_log_is_looked_at_too(place: Place, worker: HandWorker) -> None:
    log = b"." * 300_000 + b"\nconnection reset by peer"
    job = place.submit(retry={**TWICE, "on": [{"log": "^connection reset"}]})
    [offer] = worker.get_job(wait_s=10)
    attempt = offer["attempt_id"]
    base = f"/gateway/v1/attempts/{attempt}/log"
    assert worker.http.patch(base, content=log, headers={"Upload-Offset": "0"}).status_code == 204
    report = finished(attempt, log, 1)
    report["log"] |= {"inline": None}

    assert received(worker.finish(report)) == [attempt]

    assert decided(place, job)["state"] == "queued"


def test_after_a_run_out_of_memory_it_goes_to_a_worker_that_has_more(place: Place) -> None:
    small, big = place.worker("small"), place.worker("big", labels={"mem": "big"})
    on = [{"reasons": ["out_of_memory"], "requires": {"mem": "big"}}, {"exit_codes": [75]}]
    job = place.submit(retry={"max_attempts": 5, "on": on})

    queued = fail(place, small, job, exit_code=137, reason="out_of_memory", signal="SIGKILL")

    assert queued["message"] == "out of memory, try 1 of 5, again at once with mem=big"
    assert small.get_job() == []
    fail(place, big, job, 75)
    assert small.get_job() == [], "what a rule asked for is asked for until another rule says otherwise"
    assert fail(place, big, job, 1)["verdict"] == "failed"
    place.admin.post(f"/api/v1/jobs/{job}/retry")
    assert len(small.get_job(wait_s=10)) == 1, "a person runs what was submitted"


def test_after_a_run_out_of_memory_more_of_it_is_asked_for_and_kept(place: Place) -> None:
    small = place.worker("small", resources={"memory_bytes": 8_000_000, "cpus": 4})
    big = place.worker("big", resources={"memory_bytes": 64_000_000, "cpus": 4}, labels={"net": "good"})
    on = [
        {"reasons": ["out_of_memory"], "resources": {"memory_bytes": 32_000_000}},
        {"exit_codes": [75], "requires": {"net": "good"}},
    ]
    job = place.submit(retry={"max_attempts": 5, "on": on}, resources={"memory_bytes": 4_000_000, "cpus": 1})

    queued = fail(place, small, job, exit_code=137, reason="out_of_memory", signal="SIGKILL")

    assert queued["message"] == "out of memory, try 1 of 5, again at once with memory_bytes 32000000"
    assert small.get_job() == []
    fail(place, big, job, 75)
    assert small.get_job() == [], "the other rule said nothing of memory"
    second = place.submit(resources={"memory_bytes": 40_000_000})
    [offer] = big.get_job(wait_s=10)
    assert offer["job_id"] == job
    assert big.get_job() == [], "what a rule asked for is counted"
    end(big, offer["attempt_id"], 0)
    assert big.get_job(wait_s=10)[0]["job_id"] == second


def test_a_worker_that_waits_is_woken_for_what_only_it_may_have_now(place: Place) -> None:
    small, big = place.worker("small"), place.worker("big", labels={"mem": "rare"})
    job = place.submit(retry={**TWICE, "on": [{"exit_codes": [9], "requires": {"mem": "rare"}}]})
    [offer] = small.get_job(wait_s=10)
    given: list[Json] = []
    waits = threading.Thread(target=lambda: given.extend(big.get_job(wait_s=20)))
    waits.start()

    end(small, offer["attempt_id"], 9)
    waits.join(10)

    assert [one["job_id"] for one in given] == [job]


def test_a_lost_try_counts_and_a_rule_may_name_it(quick: Place) -> None:
    worker = quick.worker()
    job = quick.submit(retry={**TWICE, "on": [{"reasons": ["lost"], "delay_s": 0.1}]})
    for _ in (1, 2):
        [offer] = worker.get_job(wait_s=10)
        beat(worker, offer["attempt_id"])

    done = over(quick, job)

    assert (done["state"], done["verdict"], done["message"]) == ("lost", "failed", "2 of 2 tries used")


def test_a_cancelled_job_is_not_tried_again_whatever_its_retry_says(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={"max_attempts": 9, "backoff": {"initial_s": 60}})
    fail(place, worker, job)

    place.admin.post(f"/api/v1/jobs/{job}/cancel")

    done = over(place, job)
    assert (done["state"], done["verdict"], done["message"]) == ("cancelled", "failed", None)


def test_a_job_that_somebody_cancelled_while_it_ran_is_not_tried_again_though_its_result_came_first(
    place: Place, worker: HandWorker
) -> None:
    job = place.submit(retry={"max_attempts": 9})
    [offer] = worker.get_job(wait_s=10)
    beat(worker, offer["attempt_id"])
    place.admin.post(f"/api/v1/jobs/{job}/cancel")

    end(worker, offer["attempt_id"], 1)

    done = over(place, job)
    told = "cancelled while it ran; not tried again"
    assert (done["state"], done["verdict"], done["message"]) == ("finished", "failed", told)
    assert worker.get_job() == []


def test_a_persons_retry_begins_to_count_anew(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={**TWICE, "on": [{"exit_codes": [1], "max": 1}]})
    fail(place, worker, job)
    assert fail(place, worker, job)["verdict"] == "failed"

    place.admin.post(f"/api/v1/jobs/{job}/retry")

    again = fail(place, worker, job)
    assert (again["state"], again["message"]) == ("queued", "exit 1, try 1 of 2, again at once")
    assert again["attempts"][-1]["number"] == 3
    assert fail(place, worker, job)["message"] == "2 of 2 tries used"


def test_the_time_in_the_queue_is_counted_anew_for_each_try(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={**TWICE, "backoff": {"initial_s": 0.1}}, queue_timeout_s=2.5)
    [offer] = worker.get_job(wait_s=10)
    begun = time.monotonic()
    until(lambda: time.monotonic() - begun > 2.6, 5, "more time passed than a job may wait")

    end(worker, offer["attempt_id"], 1)

    ended = time.monotonic()
    until(lambda: time.monotonic() - ended > 1.2, 5, "the sweeper came by")
    assert place.state(job) == "queued"
    until(lambda: place.state(job) == "expired", 10, "its time in the queue is over now")


def test_a_question_for_the_end_is_held_until_no_try_follows(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={**TWICE, "backoff": {"initial_s": 0.5}})
    answers: list[Json] = []
    asking = threading.Thread(target=lambda: answers.append(over(place, job)))
    asking.start()

    fail(place, worker, job, 3)
    assert not answers
    fail(place, worker, job, 4)
    asking.join(10)

    [done] = answers
    assert (done["verdict"], done["result"]["exit_code"]) == ("failed", 4)


def events(place: Place, job: str, **params: object) -> list[tuple[str, Any]]:
    """All that a follower of the log is told, to the end."""
    told: list[tuple[str, Any]] = []
    query = {key: str(value) for key, value in params.items()}
    headers = {"Accept": "text/event-stream"}
    with place.admin.stream("GET", f"/api/v1/jobs/{job}/log", params=query, headers=headers) as response:
        assert response.status_code == 200
        event, data = "message", ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and data:
                told.append((event, data if event == "message" else json.loads(data)))
                if event == "end":
                    break
                event, data = "message", ""
    return told


def test_a_follower_from_the_first_try_on_sees_every_try_and_one_end(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={**TWICE, "backoff": {"initial_s": 0.3}})
    told: list[tuple[str, Any]] = []
    following = threading.Thread(target=lambda: told.extend(events(place, job, from_attempt=1)))
    following.start()

    fail(place, worker, job, 3, b"first")
    fail(place, worker, job, 4, b"second")
    following.join(10)

    assert told == [
        ("message", "first"),
        ("waits", {"state": "waiting", "message": "exit 3, try 1 of 2, again in 0.3 s"}),
        ("attempt", {"number": 2}),
        ("message", "second"),
        ("end", {"state": "finished", "verdict": "failed", "result": told[-1][1]["result"]}),
    ]
    assert told[-1][1]["result"]["exit_code"] == 4


def test_one_who_comes_late_sees_all_tries_or_the_newest(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={"max_attempts": 3})
    for log in (b"one", b"two", b"three"):
        fail(place, worker, job, 1, log)

    def texts(**params: object) -> list[str]:
        return [data for event, data in events(place, job, **params) if event == "message"]

    assert texts(from_attempt=1) == ["one", "two", "three"]
    assert texts(from_attempt=3) == ["three"]
    assert texts() == ["three"]
    assert texts(attempt=1) == ["one"]


def test_from_attempt_is_for_event_streams_and_stands_alone(place: Place) -> None:
    job = place.submit()
    log, live = f"/api/v1/jobs/{job}/log", {"Accept": "text/event-stream"}

    refused(place.admin.get(log, params={"from_attempt": 1}), 422, "invalid-request", "from_attempt")
    both = place.admin.get(log, params={"from_attempt": 1, "attempt": 1}, headers=live)
    refused(both, 422, "invalid-request", "from_attempt")


def test_a_job_that_is_refused_time_and_again_says_so_until_it_runs(place: Place, worker: HandWorker) -> None:
    job = place.submit()
    for _ in range(9):
        [offer] = worker.get_job()
        refuse(worker, offer["attempt_id"], reason="no room")
    assert place.job(job)["message"] is None

    [offer] = worker.get_job()
    refuse(worker, offer["attempt_id"], reason="still no room")

    told = place.job(job)
    assert (told["state"], told["verdict"]) == ("queued", None)
    assert told["message"] == "refused 10 times in a row, the last time: still no room"
    [offer] = worker.get_job()
    assert offer["number"] == 1, "a refusal is no try"
    end(worker, offer["attempt_id"], 0)
    assert (over(place, job)["verdict"], place.job(job)["message"]) == ("succeeded", None)


def test_refusals_count_in_a_row_alone(place: Place, worker: HandWorker) -> None:
    job = place.submit(retry={"max_attempts": 3})
    for _ in range(2):
        for _ in range(9):
            refuse(worker, worker.get_job(wait_s=10)[0]["attempt_id"])
        assert "refused" not in (place.job(job)["message"] or "")
        fail(place, worker, job)


def test_a_refusal_with_a_rule_is_offered_again_as_the_rule_says(place: Place) -> None:
    here, there = place.worker("here"), place.worker("there", labels={"site": "there"})
    rule = {"reasons": ["refused"], "delay_s": 0.2, "requires": {"site": "there"}}
    job = place.submit(retry={"max_attempts": 1, "on": [rule]})
    [offer] = here.get_job(wait_s=10)

    refuse(here, offer["attempt_id"])

    until(lambda: place.state(job) == "queued", 10, "its pause is over")
    assert here.get_job() == []
    [offer] = there.get_job()
    assert (offer["job_id"], offer["number"]) == (job, 1)


@pytest.mark.parametrize("verdict", ["succeeded", "failed"])
def test_success_exit_codes_say_what_a_success_is(place: Place, worker: HandWorker, verdict: str) -> None:
    job = place.submit(success_exit_codes=[3, "10-19"])

    done = fail(place, worker, job, 12 if verdict == "succeeded" else 0)

    assert (done["state"], done["verdict"]) == ("finished", verdict)


def test_a_policy_that_the_scheduler_does_not_know_is_refused_when_it_is_submitted(place: Place) -> None:
    answer = place.admin.post("/api/v1/jobs", json={"command": ["true"], "environment": place.name, "policy": "nix"})

    body = refused(answer, 422, "invalid-request", "policy")
    assert "knows no policy `nix`" in body["errors"][0]["message"]
    assert place.admin.get("/api/v1/jobs", params={"environment": place.name}).json()["jobs"] == []
