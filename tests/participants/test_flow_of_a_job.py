"""GET /api/v1/jobs/{id}/flow: the messages that the job really caused. Source: protocol.md; flows.md."""

import json

import pytest

from house import HandWorker, Json, ended, finished
from participants.place import MOMENT, Place, beat, received, refuse
from rota.jobs.flow import flow
from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.states import Verdict
from rota.protocol.status import Acknowledgement
from rota.storage.stores.jobs import Traced

FULL = [
    ("Worker", "WorkerGateway", "getJob"),
    ("WorkerGateway", "Job", "getJobForWorker"),
    ("Job", "WorkerGateway", "returnJobForWorker"),
    ("WorkerGateway", "Worker", "returnJob"),
    ("Worker", "WorkerRegistry", "status: Working"),
    ("WorkerRegistry", "Worker", "status received"),
    ("Worker", "WorkerGateway", "jobFinished"),
    ("WorkerGateway", "Job", "jobFinished"),
    ("Job", "WorkerGateway", "jobFinishedReceived"),
    ("WorkerGateway", "Worker", "jobFinishedReceived"),
    ("Worker", "WorkerRegistry", "status: readyForWork"),
    ("WorkerRegistry", "Worker", "status received"),
]
REFUSED = [
    ("Worker", "WorkerGateway", "refuse job"),
    ("WorkerGateway", "Job", "refuse job"),
    ("Job", "WorkerGateway", "refuse accepted"),
    ("WorkerGateway", "Worker", "refuse accepted"),
]


def messages(place: Place, job: str) -> list[Json]:
    answer = place.admin.get(f"/api/v1/jobs/{job}/flow")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: list[Json] = answer.json()["messages"]
    for message in found:
        assert set(message) == {"at", "attempt_id", "from", "to", "name", "outcome", "detail"}
        assert MOMENT.match(message["at"])
        assert message["outcome"] in {"ok", "error"}
    return found


def arrows(found: list[Json]) -> list[tuple[str, str, str]]:
    return [(message["from"], message["to"], message["name"]) for message in found]


def without_scheduler(found: list[Json]) -> list[Json]:
    return [message for message in found if "JobScheduler" not in {message["from"], message["to"]}]


def test_the_diagrams_own_messages_in_its_order(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.status("working", attempt)
    received(worker.finish(finished(attempt)))
    worker.status("ready_for_work")

    found = messages(place, job)

    assert arrows(without_scheduler(found)) == FULL
    assert {message["attempt_id"] for message in found} == {attempt}
    assert {message["outcome"] for message in found} == {"ok"}


def test_it_is_told_as_time_went_though_it_comes_from_two_records(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.status("working", attempt)
    received(worker.finish(finished(attempt)))
    assert ended(place.admin, job)["verdict"] == "succeeded"
    worker.status("ready_for_work")  # after the scheduler's word

    found = messages(place, job)

    assert [message["at"] for message in found] == sorted(message["at"] for message in found)
    assert [message["name"] for message in found][-4:] == [
        "job ended", "verdict", "status: readyForWork", "status received",
    ]  # fmt: skip


@pytest.mark.parametrize("registry", ["2026-11-23T11:59:00.000000Z", "2026-11-23T12:01:00.000000Z"])
def test_an_effect_is_told_behind_its_cause_whatever_the_registrys_clock_says(registry: str) -> None:
    now = "2026-11-23T12:00:00.000000Z"
    attempt = AttemptId("one")
    event = {"at": now, "event": "finished", "detail": "exited"}
    traced = Traced(attempt, now, now, json.dumps(event) + "\n")
    seen = Acknowledgement(attempt, WorkerId("hand"), registry, registry)

    found = flow([traced], {attempt: seen}, (now, Verdict.SUCCEEDED)).messages

    told = [(str(message.sender), str(message.receiver), message.name) for message in found]
    assert [arrow for arrow in told if "JobScheduler" not in arrow] == FULL
    assert told.index(("Job", "JobScheduler", "job ended")) > told.index(
        ("Job", "WorkerGateway", "jobFinishedReceived")
    )


def test_a_non_zero_exit_code_makes_the_same_messages(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.status("working", attempt)
    received(worker.finish(finished(attempt, exit_code=1)))
    worker.status("ready_for_work")

    assert arrows(without_scheduler(messages(place, job))) == FULL


def test_a_refusal_shows_with_its_reason_and_the_next_try_behind_it(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    refuse(worker, attempt, reason="registry did not answer")
    [offer] = worker.get_job()

    found = messages(place, job)

    error = ("Worker", "WorkerRegistry", "status: Working")
    assert arrows(found) == [*FULL[:4], error, *REFUSED, *FULL[:4]]
    assert [message["name"] for message in found if message["outcome"] == "error"] == ["status: Working"]
    assert found[5]["detail"] == "registry did not answer"
    assert found[-1]["attempt_id"] == offer["attempt_id"]


def test_a_job_that_nobody_asked_for_caused_nothing(place: Place) -> None:
    assert messages(place, place.submit()) == []


def test_drawn_by_what_is_accepted(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    beat(worker, attempt)
    url = f"/api/v1/jobs/{job}/flow"

    plantuml = place.admin.get(url, headers={"Accept": "text/vnd.plantuml"})
    mermaid = place.admin.get(url, headers={"Accept": "text/vnd.mermaid"})

    assert plantuml.headers["content-type"].startswith("text/vnd.plantuml")
    assert plantuml.text.startswith("@startuml\n")
    assert plantuml.text.rstrip().endswith("@enduml")
    assert mermaid.headers["content-type"].startswith("text/vnd.mermaid")
    assert mermaid.text.startswith("sequenceDiagram\n")
    for drawn in (plantuml.text, mermaid.text):
        names = ["getJob", "getJobForWorker", "returnJobForWorker", "returnJob"]
        places = [drawn.index(f": {name}\n") for name in names]
        assert places == sorted(places)


def test_a_reason_cannot_draw_into_the_diagram(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    refuse(worker, attempt, reason="registry\n@enduml\nend\nnote over Worker : forged")

    for kind in ("text/vnd.plantuml", "text/vnd.mermaid"):
        lines = place.admin.get(f"/api/v1/jobs/{job}/flow", headers={"Accept": kind}).text.splitlines()
        assert not [line for line in lines if line.startswith(("end", "note"))]
        assert [line for line in lines if line == "@enduml"] == lines[-1:] * (kind == "text/vnd.plantuml")
