"""How long the newest 100 of a million jobs take to list, with a filter."""

import argparse
import time

import httpx2

import question
from deep import Queue, deep_server
from table import Answer, Bar, Figure, Row

FULL = {"jobs": 1_000_000, "rounds": 20}
QUICK = {"jobs": 50_000, "rounds": 7}
FILTERS = {
    "state": {"state": "queued"},
    "no such state": {"state": "finished"},
    "name (1 in 1,000)": {"name": "nightly-77"},
    "tag (1 in 10)": {"tag": "site:s7"},
    "name and tag": {"name": "nightly-77", "tag": "site:s7"},
}


def measure(asked: argparse.Namespace) -> Answer:
    """A row, with a figure a filter."""
    took_ms: dict[str, list[float]] = {name: [] for name in FILTERS}
    with deep_server(Queue(asked.jobs)) as server, server.client() as client:
        for number in range(asked.rounds + 1):
            for name, wanted in FILTERS.items():
                began = time.monotonic()
                listed = _listed(client, wanted)
                if number > 0:  # the first round warms up
                    took_ms[name].append((time.monotonic() - began) * 1000)
                expected = 0 if name == "no such state" else min(100, asked.jobs // (1000 if "name" in wanted else 1))
                assert listed == expected, (name, listed)
    figures = [Figure(values, Bar("≤", 20), name, "ms") for name, values in took_ms.items()]
    return Answer(
        [Row(f"list the newest 100 of {asked.jobs:,} jobs, by filter", figures, "whole requests, read as JSON")]
    )


def _listed(client: httpx2.Client, wanted: dict[str, str]) -> int:
    answer = client.get("/api/v1/jobs", params={"limit": 100, **wanted})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["jobs"])


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
