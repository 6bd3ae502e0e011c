"""flows.md: "WorkerRegistry has an Error"."""

from pathlib import Path

import pytest

from flows.conftest import Town
from flows.diagrams import ASKED, REFUSED, RETURNED
from waiting import until

ASKED_IN_VAIN = ["w -> wr: status: Working", "wr -> w: error"]


def stopped(town: Town) -> None:
    town.registry.kill()


def answering_500(town: Town) -> None:
    town.to_registry.fails = lambda name: name == "status: Working"


def slow(town: Town) -> None:
    town.to_registry.delays = lambda name: name == "status: Working"


@pytest.mark.parametrize("broken", [stopped, answering_500, slow])
def test_the_job_is_refused_nothing_is_started_and_another_worker_runs_it(
    town: Town, tmp_path: Path, broken: object
) -> None:
    """Source: guarantees.md, F7, F8, F12."""
    assert callable(broken)
    started = tmp_path / "started"
    anna = town.worker("anna")
    first_mark = len(town.wire.messages)
    broken(town)

    job = town.submit("sh", "-c", f"echo run >> {started}")
    later = town.submit("true")
    until(lambda: REFUSED[-1] in town.wire.since(first_mark), 20, "refused")
    anna.process.kill()  # it may not be the one that runs it after all
    anna.process.wait()

    assert not started.exists()
    sent = [message for message in town.wire.since(first_mark) if message not in ASKED]
    expected = [*RETURNED, *ASKED_IN_VAIN, *REFUSED]
    if broken is slow:
        expected.remove("wr -> w: error")  # no answer at all
    assert sent[: len(expected)] == expected
    refused = town.job(job)
    assert [attempt["state"] for attempt in refused["attempts"]][:1] == ["refused"]

    town.to_registry.mend()
    if town.registry.process.poll() is not None:
        town.registry.start()
    town.worker("bert")

    found = town.ended(job)
    assert (found["state"], found["verdict"]) == ("finished", "succeeded")
    assert found["attempts"][-1]["number"] == 1, "a refusal does not count as a try"
    assert started.read_text() == "run\n"
    assert found["result"] is not None
    assert found["attempts"][-1]["assigned_at"] < town.ended(later)["attempts"][-1]["assigned_at"], "its old place"
    arrows = town.people.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
    failed = [arrow for arrow in arrows if arrow["outcome"] == "error"]
    assert [(arrow["from"], arrow["to"], arrow["name"]) for arrow in failed][:1] == [
        ("Worker", "WorkerRegistry", "status: Working")
    ]
