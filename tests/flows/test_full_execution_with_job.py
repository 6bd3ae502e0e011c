"""flows.md: "Full execution with job"."""

from pathlib import Path

from flows.conftest import Town
from flows.diagrams import ASKED, EXECUTION, WORKING, without_questions
from waiting import until


def test_the_diagrams_messages_are_sent_in_its_order_and_no_others(town: Town, tmp_path: Path) -> None:
    started = tmp_path / "started"
    too_early: list[bool] = []
    town.to_registry.before_answer = lambda name: too_early.append(name == WORKING and started.exists())
    town.worker("anna")
    mark = len(town.wire.messages)

    job = town.submit("sh", "-c", f"touch {started}; echo hello")
    found = town.ended(job)
    until(lambda: EXECUTION[-2] in town.wire.since(mark), why="readyForWork")
    until(lambda: town.wire.messages[-1] not in EXECUTION, why="the next question")

    assert without_questions(town.wire.since(mark)) == EXECUTION
    assert not any(too_early), "the process was there before status received"
    assert (found["state"], found["verdict"], found["result"]["exit_code"]) == ("finished", "succeeded", 0)
    assert town.people.get(f"/api/v1/jobs/{job}/log").text == "hello\n"
    assert town.flow(job)[: len(ASKED + EXECUTION)] == ASKED + EXECUTION
