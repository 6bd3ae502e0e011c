"""Workers that hang up, leave, or were held: what they were leased has its end all the same."""

import json
import socket
import threading
import time

import httpx2

from house import HandWorker, Server
from participants.place import Place, refused
from waiting import until

CUT = 150


def ask_and_hang_up(server: Server, worker: HandWorker, number: int) -> None:
    """A getJob whose connection is closed while the claim is on its way."""
    body = json.dumps({"slots": 1, "wait_s": 5, "request_id": f"cut-{number}"}).encode()
    head = (
        "POST /gateway/v1/get-job HTTP/1.1\r\nHost: rota\r\nContent-Type: application/json\r\n"
        f"Authorization: {worker.http.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body)


def test_a_worker_that_hangs_up_while_it_is_given_a_job_holds_it_for_a_lease_at_most(
    server: Server, quick: Place
) -> None:
    """Source: guarantees.md, F4."""
    worker = quick.worker()
    for _ in range(CUT):
        quick.submit()
    callers = [threading.Thread(target=ask_and_hang_up, args=(server, worker, n)) for n in range(CUT)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    def assigned() -> int:
        listed = quick.admin.get("/api/v1/jobs", params={"environment": quick.name, "state": "assigned", "limit": 1000})
        return len(listed.json()["jobs"])

    until(lambda: assigned() == 0, 10, "nobody answers for these jobs, and they are not given back")


def test_what_a_worker_leaves_behind_is_queued_as_soon_as_it_says_offline(place: Place) -> None:
    worker, other = place.worker(), place.worker("other")
    job, _ = place.held(worker)

    assert worker.status("offline").json()["received"] is True

    [offer] = other.get_job()
    assert (offer["job_id"], offer["number"]) == (job, 1)


def test_the_time_that_a_question_was_held_is_not_taken_off_the_lease(place: Place) -> None:
    worker = place.worker()
    sent_s = time.monotonic()
    late = threading.Timer(0.7, place.submit)
    late.start()

    [offer] = worker.get_job(wait_s=10)

    late.join()
    assert 30.5 < offer["lease_s"] < 30 + time.monotonic() - sent_s


def test_a_foreign_workers_word_is_not_in_a_jobs_flow(place: Place, quick: Place) -> None:
    worker, foreigner = place.worker(), quick.worker()
    job, attempt = place.held(worker)

    refused(foreigner.status("working", attempt), 409, "lease-lost")

    messages = place.admin.get(f"/api/v1/jobs/{job}/flow").json()["messages"]
    assert "status: Working" not in [message["name"] for message in messages]


def test_a_path_that_is_not_utf_8_is_refused(place: Place) -> None:
    worker = place.worker()
    _, attempt = place.held(worker)

    answer = worker.http.request(
        "PATCH",
        httpx2.URL(str(worker.http.base_url)).copy_with(
            raw_path=f"/gateway/v1/attempts/{attempt}/artifacts/%ff".encode()
        ),
        headers={"Upload-Offset": "0"},
        content=b"x",
    )

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "path")
