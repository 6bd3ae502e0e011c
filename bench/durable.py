"""Whether a finish that was acknowledged is still there when the server was killed with SIGKILL in the middle."""

import argparse
import time
from pathlib import Path

import question
from no_op import no_op_worker
from scene import house, starting_server, submit, until
from table import Answer, Bar, Figure, Row

FULL = {"jobs": 10_000, "kills": 10}
QUICK = {"jobs": 4000, "kills": 3}
PAGE = 1000
WITHIN_S = 120


def measure(asked: argparse.Namespace) -> Answer:
    """A row: how many acknowledged finishes are missing after the kills; and no job is left behind."""
    with starting_server() as server:
        acknowledged = server.data.parent / "acknowledged"
        with server.client() as client, no_op_worker(server, "--slots=50", f"--acknowledged={acknowledged}"):
            submit(client, asked.jobs)
            killed_at = [_killed(server, acknowledged, asked.jobs * (kill + 1) // (asked.kills + 1))
                         for kill in range(asked.kills)]  # fmt: skip
            missing = _told(acknowledged) - _finished(server, asked.jobs)
            until(lambda: len(_finished(server, asked.jobs)) == asked.jobs, WITHIN_S, "all jobs have finished")
        again = len(_told(acknowledged))
    row = Row(
        f"kill -9 of the server {asked.kills} times within {asked.jobs:,} jobs: acknowledged finishes that are missing",
        [Figure([float(len(missing))], Bar("≤", 0))],
        f"{again:,} acknowledged, killed after {', '.join(f'{count:,}' for count in killed_at)}; "
        "every job has finished in the end",
    )
    return Answer([row])


def _killed(server: house.Server, acknowledged: Path, after: int) -> int:
    """Kill the server when so many finishes are acknowledged, and start it again; returns how many there were."""
    end_s = time.monotonic() + WITHIN_S
    while (count := len(_told(acknowledged))) < after:
        assert time.monotonic() < end_s, f"{count} of {after} finishes after {WITHIN_S} s"
        time.sleep(0.002)
    server.kill()
    server.start()
    return count


def _told(acknowledged: Path) -> set[str]:
    return set(acknowledged.read_text().split()) if acknowledged.exists() else set()


def _finished(server: house.Server, jobs: int) -> set[str]:
    """The attempts whose finish the server has, by a client of its own: the server was another one before."""
    found: set[str] = set()
    with server.client() as client:
        page: house.Json = {"next_cursor": ""}
        for _ in range(jobs // PAGE + 1):
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
            page = client.get("/api/v1/jobs", params={"state": "finished", "limit": PAGE, **cursor}).json()
            found |= {
                end["attempt_id"] for job in page["jobs"] for end in job["attempts"] if end["state"] == "finished"
            }
            if page["next_cursor"] is None:
                break
    return found


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
