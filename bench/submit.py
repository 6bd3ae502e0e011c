"""How long the submission of many specs in one request takes; no worker is there."""

import argparse
import time

import question
from scene import starting_server
from scene import submit as submit_jobs
from table import Answer, Bar, Figure, Row

FULL = {"specs": 10_000, "rounds": 7}
QUICK = {"rounds": 3}


def measure(asked: argparse.Namespace) -> Answer:
    """A row: seconds until all are durable and the ids are read."""
    took_s = []
    with starting_server() as server, server.client() as client:
        for _ in range(asked.rounds):
            began = time.monotonic()
            assert len(submit_jobs(client, asked.specs)) == asked.specs
            took_s.append(time.monotonic() - began)
    row = Row(
        f"submit {asked.specs:,} specs in one request",
        [Figure(took_s, Bar("≤", 1), unit="s")],
        "with writing the request and reading the answer in the client",
    )
    return Answer([row])


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
