"""Each participant alone, reached over HTTP. Source: protocol.md, "Participants and base paths"; flows.md."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import HandWorker, Json, Server, ended, finished, free_port
from participants.place import received, refused

NAMES = ("jobs", "registry", "gateway", "scheduler")
ASK: Json = {"slots": 1, "wait_s": 0}


class Apart:
    """Four processes on four ports, with one data folder."""

    def __init__(self, data: Path) -> None:
        ports = {name: free_port() for name in NAMES}
        urls = {f"ROTA_{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in NAMES[:3]}
        self.servers: dict[str, Server] = {}
        for name in NAMES:
            self.servers[name] = Server(data, [name], ports[name], **urls)
        self.jobs, self.registry, self.gateway, self.scheduler = (self.servers[name] for name in NAMES)

    def worker(self) -> HandWorker:
        """Enrolled at the registry; what it asks of the gateway it asks there."""
        made = HandWorker(self.jobs, registry=self.registry, gateway=self.gateway)
        assert made.enrolled["gateway_url"] == self.gateway.url
        assert made.enrolled["registry_url"] == self.registry.url
        return made

    def status(self, worker: HandWorker, status: str, *attempts: str) -> int:
        """What the registry answers to a status."""
        body = {"status": status, "attempts": list(attempts), "free_slots": 1}
        return worker.http.post(f"{self.registry.url}/registry/v1/status", json=body).status_code


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    made = Apart(tmp_path_factory.mktemp("apart") / "data")
    yield made
    for name in reversed(NAMES):
        assert made.servers[name].stop() == 0
    assert "Traceback" not in made.jobs.log.read_text()


def test_the_whole_conversation(apart: Apart) -> None:
    worker = apart.worker()
    log = b"x" * 100_000
    with apart.jobs.client() as admin, worker.http as http:
        spec = {"command": ["true"], "inputs": [{"path": "in/a b", "content": "aGVsbG8="}]}
        job = admin.post("/api/v1/jobs", json=spec).json()["id"]
        [offer] = worker.get_job(wait_s=10, request_id="r1")
        attempt = offer["attempt_id"]
        assert worker.get_job(request_id="r1") == [offer]
        base = f"/gateway/v1/attempts/{attempt}"
        assert apart.status(worker, "working", attempt) == 200
        assert http.get(f"{base}/inputs/in/a%20b").content == b"hello"
        part = http.get(f"{base}/inputs/in/a%20b", headers={"Range": "bytes=1-2"})
        assert (part.status_code, part.content) == (206, b"el")
        refused(http.get(f"{base}/inputs/nothing"), 404, "not-found")
        assert worker.post("/gateway/v1/heartbeat", {"attempts": [attempt]}).json()["lost"] == []
        assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "running"
        assert http.patch(f"{base}/log", content=log, headers={"Upload-Offset": "0"}).status_code == 204
        again = refused(http.patch(f"{base}/log", content=b"y", headers={"Upload-Offset": "0"}), 409, "offset-mismatch")
        assert again["offset"] == len(log)
        assert http.head(f"{base}/log").headers["upload-offset"] == str(len(log))
        report = finished(attempt, log) | {"log": finished(attempt, log)["log"] | {"inline": None}}
        assert received(worker.finish(report)) == [attempt]
        assert apart.status(worker, "ready_for_work") == 200

        done = ended(admin, job)

        assert (done["state"], done["verdict"]) == ("finished", "succeeded")
        assert admin.get(f"/api/v1/jobs/{job}/log").content == log
        flow = admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
        assert [message["name"] for message in flow][4:6] == ["status: Working", "status received"]
        assert admin.get(f"/api/v1/workers/{worker.id}").json()["status"] == "ready_for_work"
        assert worker.id in [one["worker_id"] for one in admin.get("/api/v1/workers").json()["workers"]]


def test_refusals_and_problems_pass_through_as_they_are(apart: Apart) -> None:
    worker = apart.worker()
    with apart.jobs.client() as admin, worker.http as http:
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job(wait_s=10)
        attempt = offer["attempt_id"]

        told = worker.post("/gateway/v1/refuse-job", {"attempts": [{"attempt_id": attempt, "reason": "registry"}]})

        assert told.json() == {"accepted": [attempt], "rejected": []}
        assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "queued"
        upload = http.patch(f"/gateway/v1/attempts/{attempt}/log", content=b"x", headers={"Upload-Offset": "0"})
        refused(upload, 409, "lease-lost")
        refused(http.get("/gateway/v1/attempts/unknown/inputs/x"), 404, "not-found")
        refused(http.patch("/gateway/v1/attempts/x/log", content=b"x"), 422, "invalid-request", "Upload-Offset")
        refused(worker.post("/gateway/v1/get-job", {"slots": 0, "wait_s": 0}), 422, "invalid-request", "slots")
        admin.post(f"/api/v1/jobs/{job}/cancel")


def test_a_new_incarnation_releases_over_http_too(apart: Apart) -> None:
    worker = apart.worker()
    with apart.jobs.client() as admin, worker.http:
        apart.status(worker, "ready_for_work")
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job(wait_s=10)
        worker.http.headers["Rota-Incarnation"] = "two"

        assert apart.status(worker, "ready_for_work") == 200

        assert worker.post("/gateway/v1/heartbeat", {"attempts": [offer["attempt_id"]]}).json()["lost"] != []
        assert admin.get(f"/api/v1/jobs/{job}").json()["state"] == "queued"
        admin.post(f"/api/v1/jobs/{job}/cancel")


def test_each_serves_its_own_paths_and_health(apart: Apart) -> None:
    own = {"jobs": "/api/v1/jobs", "registry": "/registry/v1/workers", "gateway": None, "scheduler": None}
    for name, server in apart.servers.items():
        with server.client() as admin:
            assert admin.get("/livez").status_code == 200
            assert admin.get("/openapi.json").status_code == 200
            for other, path in own.items():
                if path is not None:
                    assert admin.get(path).status_code == (200 if other == name else 404), (name, path)


def test_a_revoked_credential_is_refused_by_gateway_and_registry_at_once(apart: Apart) -> None:
    worker = apart.worker()
    url = "/api/v1/environments/default/credentials"
    with apart.jobs.client() as admin, worker.http:
        assert worker.get_job() == []
        [mine] = [one for one in admin.get(url).json()["credentials"] if one["worker_id"] == worker.id]

        assert admin.delete(f"{url}/{mine['credential_id']}").status_code == 204

        refused(worker.post("/gateway/v1/get-job", ASK), 401, "unauthenticated")
        assert apart.status(worker, "working") == 401


def test_people_are_told_where_the_registry_does_not_answer(apart: Apart) -> None:
    apart.registry.stop()
    try:
        with apart.jobs.client() as admin:
            answer = admin.get("/api/v1/workers")
            refused(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert admin.get("/api/v1/jobs").status_code == 200
    finally:
        apart.registry.start()


@pytest.mark.parametrize("how", ["killed", "stopped in its tracks"])
def test_while_the_job_service_is_down_a_known_worker_gets_no_job_and_not_401(apart: Apart, how: str) -> None:
    known = apart.worker()
    with known.http:
        assert known.get_job() == []
        if how == "killed":
            apart.jobs.kill()
        else:
            apart.jobs.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            answer = known.post("/gateway/v1/get-job", ASK)

            assert time.monotonic() - began < 10  # what a worker waits beyond its wait_s
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["rota-degraded"] == "job"
            assert int(answer.headers["retry-after"]) > 0
            if how == "killed":
                assert apart.status(known, "ready_for_work") == 200
                late = known.finish(finished("01a209c7-2a4a-778f-be04-0e938b7a7b88"))
                refused(late, 503, "unavailable")
                assert int(late.headers["retry-after"]) > 0
                nobody = known.http.post("/gateway/v1/get-job", json=ASK, headers={"Authorization": "Bearer a.b.c"})
                refused(nobody, 401, "unauthenticated")
        finally:
            if how == "killed":
                apart.jobs.start()
            else:
                apart.jobs.process.send_signal(signal.SIGCONT)
    with apart.gateway.client() as admin:
        counted = admin.get("/metrics").text
    assert 'rota_get_job_total{answer="no_job_degraded"}' in counted
    assert 'answer="no_job_degraded"} 0.0' not in counted


def test_no_permission_is_given_that_the_job_service_was_not_asked_about(apart: Apart) -> None:
    worker = apart.worker()
    with apart.jobs.client() as admin, worker.http:
        jobs = [admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"] for _ in range(2)]
        offers = {offer["job_id"]: offer["attempt_id"] for offer in worker.get_job(slots=2, wait_s=10)}
        kept, cancelled = (offers[job] for job in jobs)
        admin.post(f"/api/v1/jobs/{jobs[1]}/cancel")
        apart.jobs.kill()
        try:
            assert apart.status(worker, "working", kept) == 503
        finally:
            apart.jobs.start()
        assert apart.status(worker, "working", kept, cancelled) == 409
        assert apart.status(worker, "working", kept) == 200
        apart.jobs.kill()
        try:
            assert apart.status(worker, "working", kept) == 200  # what has the permission keeps it
        finally:
            apart.jobs.start()
        assert worker.finish(finished(kept)).json()["received"] == [kept]


def test_a_worker_never_seen_at_the_gateway_is_known_by_its_jwt(apart: Apart) -> None:
    worker = apart.worker()
    with worker.http:
        apart.jobs.kill()
        try:
            answer = worker.post("/gateway/v1/get-job", ASK)
            assert (answer.status_code, answer.headers["rota-degraded"]) == (204, "job")
        finally:
            apart.jobs.start()
        assert worker.get_job(wait_s=0) == []


def test_jobs_go_on_when_the_scheduler_comes_back(apart: Apart) -> None:
    worker = apart.worker()
    apart.scheduler.stop()
    with apart.jobs.client() as admin, worker.http:
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job(wait_s=10)
        assert received(worker.finish(finished(offer["attempt_id"]))) == [offer["attempt_id"]]
        shown = admin.get(f"/api/v1/jobs/{job}").json()
        assert (shown["state"], shown["verdict"]) == ("finished", None)

        apart.scheduler.start()

        assert ended(admin, job)["verdict"] == "succeeded"


def test_the_data_folder_leads_people_to_the_job_service(apart: Apart) -> None:
    apart.scheduler.stop()
    apart.scheduler.start()  # the last one that was started in the folder

    assert (apart.jobs.data / "server-url").read_text().strip() == apart.jobs.url


def test_a_gateway_elsewhere_is_known_by_the_token_that_it_was_given(apart: Apart, tmp_path: Path) -> None:
    token = (apart.jobs.data / "service-token").read_text().strip()
    elsewhere = Server(tmp_path / "far", ["gateway"], ROTA_JOBS_URL=apart.jobs.url, ROTA_SERVICE_TOKEN=token)
    try:
        worker = HandWorker(apart.jobs, registry=apart.registry, gateway=elsewhere)
        with apart.jobs.client() as admin, worker.http:
            job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
            assert [offer["job_id"] for offer in worker.get_job(wait_s=10)] == [job]
        assert not list(elsewhere.data.glob("*.db"))
    finally:
        elsewhere.stop()


def test_the_inner_door_is_shut_to_all_but_services(apart: Apart) -> None:
    worker = apart.worker()
    with apart.jobs.client() as admin, worker.http as http:
        for client in (admin, http):
            refused(
                client.post(f"{apart.jobs.url}/internal/v1/recognise", json={"authorization": None}), 403, "forbidden"
            )


def test_the_doctor_names_the_participant_that_is_away(apart: Apart) -> None:
    worker = apart.worker()

    def found() -> dict[str, list[str]]:
        """What is at fault, by code; but for what other tests left with workers that are gone."""
        told = admin.get("/api/v1/doctor").json()["findings"]
        return {
            one["code"]: one["examples"] for one in told if one["level"] == "fault" and one["code"] != "worker-lost"
        }

    with apart.jobs.client() as admin, worker.http:
        assert apart.status(worker, "ready_for_work") == 200
        assert found() == {}
        apart.registry.kill()
        assert found().keys() == {"registry-away"}
        apart.registry.start()

        apart.scheduler.kill()
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        [offer] = worker.get_job(wait_s=10)
        assert received(worker.finish(finished(offer["attempt_id"]))) == [offer["attempt_id"]]
        assert found() == {"scheduler-away": [job]}
        apart.scheduler.start()
        assert ended(admin, job)["verdict"] == "succeeded"
        assert found() == {}


def test_a_backup_of_the_job_service_is_of_its_own_database(apart: Apart) -> None:
    with apart.jobs.client() as admin:
        admin.post("/api/v1/backups", json={"name": "apart"})
        made = admin.get("/api/v1/backups/apart", params={"wait_s": 30}).json()

    assert made["state"] == "whole"
    names = sorted(file.name for file in Path(made["folder"]).iterdir())
    assert names == ["admin-token", "blobs", "manifest.json", "rota.db", "service-token"]
