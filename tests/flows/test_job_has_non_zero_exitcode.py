"""flows.md: "Job has Non-Zero Exitcode"."""

from flows.conftest import Town
from flows.diagrams import EXECUTION, without_questions
from waiting import until


def test_it_is_a_result_like_any_other_and_only_the_scheduler_says_failed(town: Town) -> None:
    town.worker("anna")
    mark = len(town.wire.messages)

    job = town.submit("sh", "-c", "echo before; exit 3")
    found = town.ended(job)
    until(lambda: EXECUTION[-1] in town.wire.since(mark)[-4:], why="readyForWork")

    assert without_questions(town.wire.since(mark)) == EXECUTION  # message for message as with exit code 0
    assert (found["state"], found["result"]["exit_code"], found["result"]["reason"]) == ("finished", 3, "exited")
    assert found["verdict"] == "failed"
    assert town.people.get(f"/api/v1/jobs/{job}/log").text == "before\n"
