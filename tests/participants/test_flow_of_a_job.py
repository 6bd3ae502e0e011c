"""GET /api/v1/jobs/{id}/flow: the messages that the job really caused. Source: protocol.md; flows.md."""

from house import HandWorker, Json, finished
from participants.place import MOMENT, Place, beat, received, refuse

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


def test_the_diagrams_own_messages_in_its_order(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.status("working", attempt)
    received(worker.finish(finished(attempt)))
    worker.status("ready_for_work")

    found = messages(place, job)

    assert arrows([message for message in found if message["from"] != "JobScheduler"])[: len(FULL)] == FULL
    assert {message["attempt_id"] for message in found} == {attempt}
    assert {message["outcome"] for message in found} == {"ok"}


def test_a_non_zero_exit_code_makes_the_same_messages(place: Place, worker: HandWorker) -> None:
    job, attempt = place.held(worker)
    worker.status("working", attempt)
    received(worker.finish(finished(attempt, exit_code=1)))
    worker.status("ready_for_work")

    assert arrows(messages(place, job))[: len(FULL)] == FULL


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
