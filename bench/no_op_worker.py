"""A worker that starts no process: it asks, reports working, and finishes at once. For measurements only.

Written against the protocol alone, message for message as the diagram has it, so that what it costs is the server's
side and the wire. `--acknowledged FILE` gets the id of each attempt whose finish the server has acknowledged, before
anything else is sent. It goes on through an outage of the server and is ended by SIGTERM.
"""

import argparse
import hashlib
import http.client
import os
import signal
import threading
import time
import uuid
from types import FrameType
from typing import Any, NoReturn

import msgspec

NOTHING = hashlib.sha256().hexdigest()
OK, NO_CONTENT = 200, 204
AGAIN_S = 0.02


class Offer(msgspec.Struct):
    """What is read of an offer."""

    attempt_id: str


class Offers(msgspec.Struct):
    """returnJob."""

    jobs: list[Offer]


class Received(msgspec.Struct):
    """jobFinishedReceived."""

    received: list[str]


class Connection:
    """One connection to the server; what it sends is sent again, until it is answered."""

    def __init__(self, address: str, token: str, incarnation: str) -> None:
        self._http = http.client.HTTPConnection(address, timeout=90)
        self._headers = {
            "Authorization": f"Bearer {token}", "Rota-Incarnation": incarnation, "Content-Type": "application/json",
        }  # fmt: skip

    def post(self, path: str, message: Any) -> tuple[int, bytes]:  # noqa: ANN401  (any JSON)
        """Status and body. A server that has gone is waited for."""
        body = msgspec.json.encode(message)
        while True:
            try:
                self._http.request("POST", path, body, self._headers)
                answer = self._http.getresponse()
                status, content = answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self._http.close()
                time.sleep(AGAIN_S)
                continue
            return status, content


def enrol(address: str, token: str, count: int, slots: int = 1) -> list[str]:
    """The credentials of so many new workers."""
    connection, credentials = Connection(address, token, "enrolment"), []
    for number in range(count):
        facts = {"name": f"bench-{number}", "labels": {}, "slots": slots, "executors": ["process"], "version": "bench"}
        status, body = connection.post("/registry/v1/workers", facts)
        assert status == http.HTTPStatus.CREATED, body
        credentials.append(msgspec.json.decode(body)["credential"]["token"])
    return credentials


def work(connection: Connection, slots: int, acknowledged: int | None) -> NoReturn:
    """The diagram from top to bottom, for ever."""
    read_offers, read_received = msgspec.json.Decoder(Offers), msgspec.json.Decoder(Received)
    while True:
        status, body = connection.post(
            "/gateway/v1/get-job", {"slots": slots, "wait_s": 30, "request_id": str(uuid.uuid4())}
        )
        if status == NO_CONTENT or status != OK:
            time.sleep(0 if status == NO_CONTENT else AGAIN_S)
            continue
        attempts = [offer.attempt_id for offer in read_offers.decode(body).jobs]
        said = {"status": "working", "attempts": attempts, "free_slots": slots - len(attempts)}
        if connection.post("/registry/v1/status", said)[0] != OK:
            refused = [{"attempt_id": attempt, "reason": "the registry did not answer"} for attempt in attempts]
            connection.post("/gateway/v1/refuse-job", {"attempts": refused})
            continue
        status, body = connection.post("/gateway/v1/job-finished", {"attempts": list(map(finished, attempts))})
        if acknowledged is not None and status == OK:
            os.write(acknowledged, "".join(f"{one}\n" for one in read_received.decode(body).received).encode())
        connection.post("/registry/v1/status", {"status": "ready_for_work", "attempts": [], "free_slots": slots})


def finished(attempt: str) -> dict[str, Any]:
    """The report of a job that printed nothing."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    return {
        "attempt_id": attempt, "result": {"exit_code": 0, "signal": None, "reason": "exited"},
        "log": {"size_bytes": 0, "sha256": NOTHING}, "artifacts": [], "started_at": now, "finished_at": now,
    }  # fmt: skip


def main() -> None:
    """So many workers of one process, each on a connection and a thread of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("--token", required=True, help="an enrolment token")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=500)
    parser.add_argument("--acknowledged", help="a file")
    asked = parser.parse_args()
    file = asked.acknowledged and os.open(asked.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, credential in enumerate(enrol(asked.address, asked.token, asked.workers, asked.slots)):
        connection = Connection(asked.address, credential, f"one-{number}")
        threading.Thread(target=work, args=(connection, asked.slots, file), daemon=True).start()
    print("ready", flush=True)
    signal.pause()


def leave(_number: int, _frame: FrameType | None) -> None:
    """At once: what is half done is the server's to see."""
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    main()
