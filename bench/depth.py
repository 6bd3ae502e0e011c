"""Whether a claim costs more where more jobs wait: getJob on servers with few and with a million queued jobs."""

import argparse
import time
from contextlib import ExitStack

import question
from deep import deep_server
from scene import house
from table import Answer, Bar, Curve, Figure, Point, Row, told

FULL = {"most": 1_000_000, "claims": 50, "slots": 10, "rounds": 15}
QUICK = {"most": 50_000, "rounds": 5}
FEWEST = 1000


def measure(asked: argparse.Namespace) -> Answer:
    """A row, and claims/s against the depth. All servers run all the time, and are asked in turns."""
    assert asked.claims * asked.slots <= FEWEST, "a round must not empty the smallest queue"
    depths = [depth for depth in (FEWEST, 10_000, 100_000) if depth < asked.most] + [asked.most]
    rates: dict[int, list[float]] = {depth: [] for depth in depths}
    with ExitStack() as stack:
        workers = {depth: house.HandWorker(stack.enter_context(deep_server(depth)), slots=1000) for depth in depths}
        for number in range(asked.rounds + 1):
            for depth in depths if number % 2 else reversed(depths):
                rate = _claims(workers[depth], asked.claims, asked.slots)
                if number > 0:  # the first round warms up
                    rates[depth].append(rate)
    ratios = [most / few for most, few in zip(rates[asked.most], rates[FEWEST], strict=True)]
    row = Row(
        f"claims/s at {asked.most:,} queued ÷ at {FEWEST:,}",
        [Figure(ratios, Bar("≥", 0.8))],
        "; ".join(f"at {depth:,}: {told(rates[depth])} jobs/s" for depth in depths)
        + f"; getJob by getJob, {asked.slots} jobs each, over HTTP",
    )
    points = [Point(depth, rates[depth]) for depth in depths]
    return Answer(
        [row], [Curve("depth", "Claims against queue depth", "queued jobs", "claimed jobs/s", {"claims": points})]
    )


def _claims(worker: house.HandWorker, claims: int, slots: int) -> float:
    """Jobs a second that it is given; given back afterwards, outside of the time."""
    began = time.monotonic()
    offers = [offer for _ in range(claims) for offer in worker.get_job(slots)]
    rate = len(offers) / (time.monotonic() - began)
    assert len(offers) == claims * slots
    refused = [{"attempt_id": offer["attempt_id"], "reason": "measured"} for offer in offers]
    answer = worker.post("/gateway/v1/refuse-job", {"attempts": refused})
    assert len(answer.json()["accepted"]) == len(offers), answer.text
    return rate


if __name__ == "__main__":
    question.main(measure, FULL, QUICK)
