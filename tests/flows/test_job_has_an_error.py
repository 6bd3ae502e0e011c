"""flows.md: "Job has an error"."""

import pytest

from flows.conftest import Town
from waiting import until


def stopped(town: Town) -> None:
    town.jobs.stop()


def killed(town: Town) -> None:
    town.jobs.kill()


def answering_500(town: Town) -> None:
    town.to_jobs.fails = lambda _name: True


@pytest.mark.parametrize("broken", [stopped, killed, answering_500])
def test_the_worker_sees_no_job_marked_as_degraded(town: Town, broken: object) -> None:
    assert callable(broken)
    hand = town.hand()
    broken(town)

    answer = hand.post("/gateway/v1/get-job", {"slots": 1, "wait_s": 1})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["rota-degraded"] == "job"
    assert int(answer.headers["retry-after"]) >= 1
    assert town.wire.messages == ["wg -> j: getJobForWorker", "j -> wg: error"]


def test_a_real_worker_waits_it_out_and_runs_what_comes_afterwards(town: Town) -> None:
    worker = town.worker("anna")
    worker.stop()
    town.jobs.kill()
    mark = len(town.wire.messages)
    worker.start()  # with the credential that it has: gateway and registry know it by what they learnt before
    until(lambda: "wg -> w: noJob" in town.wire.since(mark), 20, "noJob")

    town.jobs.start()

    assert town.ended(town.submit("true"))["verdict"] == "succeeded"
    assert worker.process.poll() is None
