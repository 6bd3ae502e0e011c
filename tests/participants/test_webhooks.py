"""Webhooks: signed, at least once, in order for each job, whoever is down. Source: protocol.md, "Webhooks"."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from house import PLAIN, HandWorker, Server, ended, finished, free_port
from participants.place import Place, refused
from receiver import Receiver, receivers
from waiting import until

Json = dict[str, Any]
LOOPBACK = "127.0.0.0/8"
QUICK = {"ROTA_WEBHOOK_NETWORKS": LOOPBACK, "ROTA_WEBHOOK_RETRY_S": "0.1", "ROTA_WEBHOOK_TIMEOUT_S": "1"}
WHOLE_LIFE = ["job.submitted", "job.assigned", "job.finished", "job.decided"]


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may send to loopback, and tries again soon."""
    started = Server(tmp_path_factory.mktemp("post") / "data", (), None, **QUICK)
    yield started
    assert started.stop() == 0
    log = started.log.read_text()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def chief(post: Server) -> Iterator[httpx2.Client]:
    with post.client() as client:
        yield client


@pytest.fixture
def here(post: Server, chief: httpx2.Client) -> Iterator[Place]:
    """An environment where nobody else's jobs are, and whose webhooks go with the test."""
    with Place(post, chief) as made:
        yield made
    for webhook in chief.get("/api/v1/webhooks").json()["webhooks"]:
        if webhook["environment"] == made.name:
            chief.delete(f"/api/v1/webhooks/{webhook['webhook_id']}")


def hook(place: Place, receiver: Receiver, *events: str, **more: object) -> str:
    """The id of a webhook of that place's events; the receiver knows its secret."""
    body = {"url": receiver.url, "events": events or ["dev.rota.job.*"], "environment": place.name, **more}
    made = place.admin.post("/api/v1/webhooks", json=body)
    assert made.status_code == 201, made.text
    receiver.secret = made.json()["secret"]
    webhook: str = made.json()["webhook_id"]
    return webhook


def shown(place: Place, webhook: str) -> Json:
    found: Json = place.admin.get(f"/api/v1/webhooks/{webhook}").json()
    return found


def deliveries(place: Place, webhook: str, **wanted: str) -> list[Json]:
    found: list[Json] = place.admin.get(f"/api/v1/webhooks/{webhook}/deliveries", params=wanted).json()["deliveries"]
    return found


def test_a_job_is_told_from_its_submission_to_its_verdict_signed_and_in_order(here: Place) -> None:
    with receivers() as [receiver]:
        hook(here, receiver)
        job, attempt = here.ended(here.worker(), exit_code=3)

        until(lambda: len(receiver.events) == len(WHOLE_LIFE))

    assert receiver.types(job) == WHOLE_LIFE
    decided = receiver.events[-1]
    assert (decided["specversion"], decided["subject"]) == ("1.0", job)
    assert decided["data"]["verdict"] == "failed"
    assert decided["data"]["result"]["exit_code"] == 3
    assert decided["data"]["attempt"]["attempt_id"] == attempt
    assert receiver.ids == [event["id"] for event in receiver.events]


def test_only_what_the_patterns_ask_for_is_told(here: Place) -> None:
    with receivers() as [receiver]:
        hook(here, receiver, "dev.rota.job.decided", "dev.rota.job.submitted")
        here.ended(here.worker())

        until(lambda: len(receiver.events) == 2)

    assert receiver.types() == ["job.submitted", "job.decided"]


def test_an_environments_administrator_has_its_own_webhooks_alone(here: Place, chief: httpx2.Client) -> None:
    admin = here.client("admin")
    with receivers() as [receiver]:
        made = admin.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]}).json()
        receiver.secret = made["secret"]
        elsewhere = chief.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]
        mine = here.submit()
        until(lambda: receiver.events)
    everywhere = chief.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]}).json()["webhook_id"]

    assert made["environment"] == here.name
    assert receiver.types(mine) == ["job.submitted"]
    assert receiver.types(elsewhere) == []
    assert [one["webhook_id"] for one in admin.get("/api/v1/webhooks").json()["webhooks"]] == [made["webhook_id"]]
    for foreign in (f"/api/v1/webhooks/{everywhere}", f"/api/v1/webhooks/{everywhere}/deliveries"):
        refused(admin.get(foreign), 404, "not-found")
    refused(admin.delete(f"/api/v1/webhooks/{everywhere}"), 404, "not-found")
    body = {"url": receiver.url, "events": ["*"], "environment": "default"}
    refused(admin.post("/api/v1/webhooks", json=body), 403, "forbidden")
    refused(here.client("submit").get("/api/v1/webhooks"), 403, "forbidden")
    assert chief.delete(f"/api/v1/webhooks/{everywhere}").status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://a.example", "events": ["dev.rota.job.finnished"]}, "events"),
        ({"url": "https://a.example", "events": ["job.finished"]}, "events"),
        ({"url": "https://a.example", "events": ["dev.*.finished"]}, "events"),
        ({"url": "https://a.example", "events": []}, "events"),
        ({"url": "ftp://a.example", "events": ["*"]}, "url"),
        ({"url": "https://", "events": ["*"]}, "url"),
        ({"url": "https://me:word@a.example", "events": ["*"]}, "url"),
        ({"url": "https://a.example/\n", "events": ["*"]}, "url"),
        ({"url": "http://10.1.2.3/", "events": ["*"]}, "url"),
        ({"url": "http://169.254.169.254/latest", "events": ["*"]}, "url"),
        ({"url": "http://[::1]/", "events": ["*"]}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/", "events": ["*"]}, "url"),
        ({"url": "https://a.example", "events": ["*"], "secret": "short"}, "secret"),
        ({"url": "https://a.example", "events": ["*"], "secret": "whsec_AAAA"}, "secret"),
        ({"url": "https://a.example", "events": ["*"], "environment": "nowhere"}, "environment"),
    ],
)
def test_what_could_never_work_is_refused_by_name(chief: httpx2.Client, body: Json, field: str) -> None:
    before = chief.get("/api/v1/webhooks").json()

    refused(chief.post("/api/v1/webhooks", json=body), 422, "invalid-request", field)

    assert chief.get("/api/v1/webhooks").json() == before


def test_the_secret_is_shown_once(here: Place) -> None:
    with receivers() as [receiver]:
        given = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
        webhook = hook(here, receiver, secret=given)

        assert receiver.secret == given
        assert "secret" not in shown(here, webhook)
        assert given not in here.admin.get("/api/v1/webhooks").text


def test_what_fails_is_tried_again_until_it_arrives_and_the_jobs_next_event_waits_for_it(here: Place) -> None:
    with receivers(1, 500, 503, None, 204) as [receiver]:
        webhook = hook(here, receiver, "dev.rota.job.submitted", "dev.rota.job.cancelled")
        job = here.submit()
        here.admin.post(f"/api/v1/jobs/{job}/cancel")

        until(lambda: len(receiver.events) == 5, 20)
        until(lambda: shown(here, webhook)["waiting"] == 0)

    assert receiver.types(job) == ["job.submitted"] * 4 + ["job.cancelled"]
    cancelled, submitted = deliveries(here, webhook)
    assert (submitted["state"], submitted["tries"], cancelled["tries"]) == ("delivered", 4, 1)


def test_410_disables_a_webhook_and_what_was_to_be_told_is_kept(here: Place) -> None:
    with receivers(1, 410, 204) as [receiver]:
        webhook = hook(here, receiver, "dev.rota.job.submitted")
        here.submit()
        until(lambda: not shown(here, webhook)["enabled"])
        here.submit()
        found = shown(here, webhook)
        [dead] = deliveries(here, webhook, state="dead")

        assert "410" in found["message"]
        assert (found["dead"], found["waiting"]) == (1, 0)
        assert here.admin.post(f"/api/v1/webhooks/{webhook}/enable").json()["enabled"]
        here.admin.post(f"/api/v1/webhooks/{webhook}/deliveries/{dead['delivery_id']}/redeliver")
        until(lambda: len(receiver.events) == 2)

    assert receiver.ids[0] == receiver.ids[1]


def test_retry_after_is_heeded(here: Place) -> None:
    with receivers(1, (429, {"Retry-After": "3"}), 204) as [receiver]:
        hook(here, receiver, "dev.rota.job.submitted")
        here.submit()

        until(lambda: len(receiver.events) == 2)

    assert receiver.at[1] - receiver.at[0] >= 3


def test_a_redirect_is_not_followed(here: Place) -> None:
    with receivers(2) as [receiver, elsewhere]:
        receiver.answers = [(307, {"Location": elsewhere.url})]
        webhook = hook(here, receiver, "dev.rota.job.submitted")
        here.submit()

        until(lambda: len(receiver.events) >= 2)

        assert elsewhere.events == []
    assert "Redirects are not followed" in deliveries(here, webhook)[0]["message"]


def test_a_receiver_that_hangs_holds_up_nobody_else(here: Place) -> None:
    with receivers(6, None) as [*hanging, good]:
        good.answers = [204]
        for receiver in hanging:
            hook(here, receiver, "dev.rota.job.submitted")
        hook(here, good, "dev.rota.job.submitted")
        jobs = [here.submit() for _ in range(20)]

        until(lambda: len(good.events) == len(jobs), 5)

    assert sorted(event["subject"] for event in good.events) == sorted(jobs)


def test_a_test_says_what_came_of_it(here: Place) -> None:
    with receivers(1, 204, 400) as [receiver]:
        webhook = hook(here, receiver)

        outcomes = []
        for _ in range(2):
            made = here.admin.post(f"/api/v1/webhooks/{webhook}/test")
            assert made.status_code == 202
            one = f"/api/v1/webhooks/{webhook}/deliveries/{made.json()['delivery_id']}"
            outcomes.append(here.admin.get(one, params={"wait_s": 5}).json())

    assert receiver.types()[:2] == ["webhook.test", "webhook.test"]
    assert [(one["state"], one["status"]) for one in outcomes] == [("delivered", 204), ("waiting", 400)]
    assert outcomes[1]["message"] == "The receiver answered 400."
    assert outcomes[0]["event"]["data"]["webhook_id"] == webhook


def test_deliveries_are_paged_newest_first(here: Place) -> None:
    with receivers() as [receiver]:
        webhook = hook(here, receiver, "dev.rota.job.submitted")
        jobs = [here.submit() for _ in range(5)]
        until(lambda: len(deliveries(here, webhook)) == 5)

    path = f"/api/v1/webhooks/{webhook}/deliveries"
    first = here.admin.get(path, params={"limit": 3}).json()
    rest = here.admin.get(path, params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [one["subject"] for one in first["deliveries"] + rest["deliveries"]] == jobs[::-1]
    assert rest["next_cursor"] is None
    refused(here.admin.get(path, params={"state": "lost"}), 422, "invalid-request", "state")


def test_a_deleted_webhook_is_told_nothing_more(here: Place) -> None:
    with receivers(1, 500) as [receiver]:
        webhook = hook(here, receiver, "dev.rota.job.submitted")
        here.submit()
        until(lambda: receiver.events)

        assert here.admin.delete(f"/api/v1/webhooks/{webhook}").status_code == 204
        refused(here.admin.get(f"/api/v1/webhooks/{webhook}"), 404, "not-found")


def test_hostile_words_are_only_data(here: Place) -> None:
    name = '"}\r\nX: y <script>\u202e\x1b[31m'
    with receivers() as [receiver]:
        hook(here, receiver, "dev.rota.job.submitted")
        here.submit(name=name)

        until(lambda: receiver.events)

    assert receiver.events[0]["data"]["name"] == name


def test_by_default_nothing_is_sent_to_this_machine_or_its_network(tmp_path: Path) -> None:
    with receivers() as [receiver]:
        server = Server(tmp_path / "data", ROTA_WEBHOOK_RETRY_S="0.1")
        try:
            with server.client() as chief:
                refused(
                    chief.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]}),
                    422, "invalid-request", "url",
                )  # fmt: skip
                by_name = receiver.url.replace("127.0.0.1", "localhost")
                webhook = chief.post("/api/v1/webhooks", json={"url": by_name, "events": ["*"]}).json()["webhook_id"]
                chief.post("/api/v1/jobs", json={"command": ["true"]})
                path = f"/api/v1/webhooks/{webhook}/deliveries"
                until(lambda: [one for one in chief.get(path).json()["deliveries"] if one["tries"]])
                told = chief.get(path).json()["deliveries"][0]["message"]
        finally:
            server.stop()

    assert "ROTA_WEBHOOK_NETWORKS" in told
    assert receiver.events == []


def test_deliveries_survive_a_kill_of_everything_at_any_moment(tmp_path: Path) -> None:
    with receivers() as [receiver]:
        server = Server(tmp_path / "data", (), None, **QUICK)
        try:
            with server.client() as chief:
                made = chief.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["dev.rota.job.*"]}).json()
                receiver.secret = made["secret"]
                jobs: list[str] = []
                for _ in range(5):
                    specs = [{"command": ["true"]}] * 40
                    jobs += [job["id"] for job in chief.post("/api/v1/jobs", json={"jobs": specs}).json()["jobs"]]
                    server.kill()
                    server.start()
            until(lambda: {event["subject"] for event in receiver.events} == set(jobs), 20)
        finally:
            server.stop()

    assert len(set(receiver.ids)) == len(jobs)
    told = {event["id"]: event for event in receiver.events}
    assert [event for event in receiver.events if told[event["id"]] != event] == []  # sent again, it is the same


def test_a_scheduler_apart_sends_what_happened_while_there_was_none_and_two_send_nothing_twice(tmp_path: Path) -> None:
    with receivers() as [receiver], ExitStack() as stack:
        data, jobs_port = tmp_path / "data", free_port()
        jobs = Server(data, ("jobs", "gateway", "registry"), jobs_port, **QUICK)
        stack.callback(jobs.stop)
        token = {"ROTA_SERVICE_TOKEN": (data / "service-token").read_text().strip()}
        chief = stack.enter_context(jobs.client())
        made = chief.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["dev.rota.job.submitted"]}).json()
        receiver.secret = made["secret"]
        first = [chief.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"] for _ in range(5)]
        assert receiver.events == []

        for name in ("one", "two"):
            scheduler = Server(tmp_path / name, ("scheduler",), None, ROTA_JOBS_URL=jobs.url, **QUICK, **token)
            stack.callback(scheduler.stop)
        until(lambda: len(receiver.events) == len(first))
        specs = [{"command": ["true"]}] * 200
        later = [job["id"] for job in chief.post("/api/v1/jobs", json={"jobs": specs}).json()["jobs"]]
        until(lambda: len(receiver.events) >= len(first) + len(later), 20)
        webhook = made["webhook_id"]
        until(lambda: chief.get(f"/api/v1/webhooks/{webhook}").json()["waiting"] == 0)

    assert sorted(event["subject"] for event in receiver.events) == sorted(first + later)


def test_what_is_given_up_is_dead_and_can_be_sent_again(tmp_path: Path) -> None:
    with receivers(1, 500) as [receiver]:
        server = Server(tmp_path / "data", (), None, **QUICK, ROTA_WEBHOOK_GIVE_UP_S="1")
        try:
            with server.client() as chief:
                made = chief.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["dev.rota.job.*"]}).json()
                receiver.secret = made["secret"]
                path = f"/api/v1/webhooks/{made['webhook_id']}"
                chief.post("/api/v1/jobs", json={"command": ["true"]})
                until(lambda: chief.get(path).json()["dead"] == 1)
                [dead] = chief.get(f"{path}/deliveries", params={"state": "dead"}).json()["deliveries"]
                tried = len(receiver.events)
                receiver.answers = [204]
                again = chief.post(f"{path}/deliveries/{dead['delivery_id']}/redeliver").json()
                until(lambda: chief.get(path).json()["waiting"] == 0)
                [arrived] = chief.get(f"{path}/deliveries").json()["deliveries"]
        finally:
            server.stop()

    assert tried >= 2
    assert dead["message"] == "The receiver answered 500."
    assert (again["state"], again["tries"]) == ("waiting", 0)
    assert (arrived["state"], arrived["tries"]) == ("delivered", 1)
    assert set(receiver.ids) == {dead["event_id"]}


def test_a_service_without_its_credential_is_handed_nothing(post: Server, here: Place) -> None:
    with httpx2.Client(verify=PLAIN, base_url=post.url) as nobody:
        refused(nobody.get("/internal/v1/deliveries/due"), 401, "unauthenticated")
    refused(here.admin.get("/internal/v1/deliveries/due"), 403, "forbidden")


def test_a_job_that_nobody_is_told_of_ends_all_the_same(here: Place) -> None:
    worker = HandWorker(here.server, here.name)
    job = here.submit()
    [offer] = worker.get_job()
    worker.finish(finished(offer["attempt_id"]))

    assert ended(here.admin, job)["verdict"] == "succeeded"
    worker.http.close()
