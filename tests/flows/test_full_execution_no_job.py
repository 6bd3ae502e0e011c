"""flows.md: "Full execution no job"."""

from flows.conftest import Town
from waiting import until


def test_a_question_that_no_job_fits_is_answered_with_no_job_and_nothing_else_is_sent(town: Town) -> None:
    hand = town.hand()

    answer = hand.post("/gateway/v1/get-job", {"slots": 1, "wait_s": 0.1})

    assert (answer.status_code, answer.content) == (204, b"")
    assert "rota-degraded" not in answer.headers
    assert town.wire.messages == ["wg -> j: getJobForWorker", "j -> wg: noJob"]


def test_a_worker_without_a_job_asks_again_and_reports_nothing(town: Town) -> None:
    mark = len(town.wire.messages)
    town.worker("anna")

    until(lambda: "wg -> j: getJobForWorker" in town.wire.since(mark), why="passed on")

    assert not [message for message in town.wire.since(mark) if "Working" in message or "jobFinished" in message]
