"""`rota events` and `rota webhook`, as a person types them."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Shell, variables
from house import HandWorker, Server, finished
from receiver import receivers
from waiting import until


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, that may send to loopback, with one job that ended."""
    variables_ = {"ROTA_WEBHOOK_NETWORKS": "127.0.0.0/8", "ROTA_WEBHOOK_RETRY_S": "0.1"}
    started = Server(tmp_path_factory.mktemp("tower") / "data", (), None, **variables_)
    worker = HandWorker(started)
    with started.client() as admin, worker.http:
        admin.post("/api/v1/jobs", json={"command": ["true"], "name": "first\x1b[31m"})
        [offer] = worker.get_job(wait_s=5)
        worker.finish(finished(offer["attempt_id"], exit_code=3))
        job = admin.get("/api/v1/jobs").json()["jobs"][0]["id"]
        until(lambda: admin.get(f"/api/v1/jobs/{job}").json()["verdict"])
    yield started
    started.stop()


@pytest.fixture
def here(tower: Server, tmp_path: Path) -> Shell:
    """A shell that knows it."""
    return Shell(variables(tmp_path, ROTA_SERVER=tower.url, ROTA_TOKEN=tower.admin_token), tmp_path)


def test_events_prints_what_happened_oldest_first(here: Shell) -> None:
    done = here("events", "--type", "job.finished", "--type", "job.decided")

    assert done.returncode == 0, done.stderr
    finished_, decided = done.stdout.splitlines()[:2]
    assert "job.finished" in finished_
    assert "exit 3" in finished_
    assert "failed" in decided
    assert "\x1b" not in done.stdout


def test_events_as_json_is_an_event_a_line(here: Shell) -> None:
    done = here("events", "--json", "--after", "oldest")

    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds[:4] == [f"dev.rota.job.{kind}" for kind in ("submitted", "assigned", "finished", "decided")]
    last = json.loads(done.stdout.splitlines()[2])["id"]
    behind = here("events", "--json", "--after", last)
    assert json.loads(behind.stdout.splitlines()[0])["type"] == "dev.rota.job.decided"


def test_events_f_goes_on_and_says_at_ctrl_c_where_to_go_on(here: Shell, tower: Server) -> None:
    following = here.start("events", "-f", "--type", "job.submitted", "--after", "oldest")
    assert following.stdout is not None
    assert b"job.submitted" in following.stdout.readline()
    with tower.client() as admin:
        job = admin.post("/api/v1/jobs", json={"command": ["true"]}).json()["id"]

    assert job.encode() in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=10)
    assert following.returncode == 130
    assert b"rota events -f --after " in said


def test_what_is_no_event_is_told_in_two_lines(here: Shell) -> None:
    for words in (["events", "--type", "job.finnished"], ["events", "--after", "x"]):
        done = here(*words)

        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 2


def test_a_webhook_from_its_creation_to_its_end(here: Shell) -> None:
    with receivers(1, 500, 204) as [receiver]:
        made = here("webhook", "create", receiver.url, "--event", "job.*", "--description", "ci")
        assert made.returncode == 0, made.stderr
        receiver.secret = made.stdout.strip()
        assert receiver.secret.startswith("whsec_")
        webhook = here("webhook", "-q").stdout.strip()

        failed, good = here("webhook", "test", webhook), here("webhook", "test", webhook)
        assert (failed.returncode, good.returncode) == (1, 0)
        assert "The receiver answered 500." in failed.stderr
        until(lambda: here.json("webhook", "show", webhook)["waiting"] == 0)
        listed = here.json("webhook", "deliveries", webhook, "--state", "delivered")["deliveries"]
        again = here("webhook", "redeliver", webhook, listed[0]["delivery_id"])

        assert again.returncode == 0
        assert "delivered: 204" in again.stderr
        assert "job.*" in here("webhook", "show", webhook).stdout
        assert "enabled" in here("webhook", "enable", webhook).stdout
        assert here("webhook", "rm", webhook).returncode == 0
        gone = here("webhook", "show", webhook)
        assert gone.returncode == 3
        assert "rota webhook" in gone.stderr


def test_an_address_that_is_not_allowed_is_told_with_the_setting(here: Shell) -> None:
    done = here("webhook", "create", "http://10.0.0.1/", "--event", "job.*")

    assert done.returncode == 2
    assert "ROTA_WEBHOOK_NETWORKS=10.0.0.1/32" in done.stderr
