"""flows.md: "WorkerGateway has an error"."""

from flows.conftest import Town
from waiting import until


def test_the_worker_survives_backs_off_and_recovers_by_itself(town: Town) -> None:
    """Source: guarantees.md, F4."""
    worker = town.worker("anna")
    town.gateway.kill()
    mark = len(town.wire.messages)
    until(lambda: town.wire.since(mark).count("wg -> w: error") >= 3, 30, "asked again")
    asked = town.wire.since(mark).count("w -> wg: getJob")
    assert asked < 20, "it asks without a pause"
    assert worker.process.poll() is None

    town.gateway.start()

    assert town.ended(town.submit("true"))["verdict"] == "succeeded"
    assert worker.process.poll() is None


def test_a_result_waits_until_the_gateway_is_back(town: Town) -> None:
    """Source: guarantees.md, F24."""
    worker = town.worker("anna")
    flag = town.folder / "gateway-is-down"
    job = town.submit("sh", "-c", f"while ! test -e {flag}; do sleep 0.05; done; echo done; exit 7")
    until(lambda: town.job(job)["state"] == "running", 15, "running")

    town.gateway.kill()
    flag.touch()
    mark = len(town.wire.messages)
    until(lambda: "w -> wg: jobFinished" in town.wire.since(mark), 20, "reported in vain")
    town.gateway.start()

    found = town.ended(job)
    assert (found["state"], found["result"]["exit_code"]) == ("finished", 7)
    assert [attempt["state"] for attempt in found["attempts"]] == ["finished"]
    assert town.people.get(f"/api/v1/jobs/{job}/log").text == "done\n"
    assert worker.process.poll() is None
