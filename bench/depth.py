"""Whether a claim costs more where more jobs wait, of more submitters, in more priorities: getJob on full servers."""

import argparse
import time
from contextlib import ExitStack

import question
from deep import Queue, deep_server
from scene import house
from table import Answer, Bar, Curve, Figure, Point, Row, told

FULL = {"most": 1_000_000, "submitters": 100_000, "priorities": 50, "claims": 50, "slots": 10, "rounds": 15}
QUICK = {"most": 50_000, "submitters": 5000, "rounds": 5}
FEWEST = 1000


def measure(asked: argparse.Namespace) -> Answer:
    """Rows, and claims/s against the depth. All servers run all the time, and are asked in turns."""
    assert asked.claims * asked.slots <= FEWEST, "a round must not empty the smallest queue"
    depths = [depth for depth in (FEWEST, 10_000, 100_000) if depth < asked.most] + [asked.most]
    crowd, spread = Queue(asked.most, submitters=asked.submitters), Queue(asked.most, priorities=asked.priorities)
    rates = _rates([*map(Queue, depths), crowd, spread], asked)
    fewest = rates[Queue(FEWEST)]

    def row(words: str, queue: Queue, bar: Bar) -> Row:
        ratios = [most / few for most, few in zip(rates[queue], fewest, strict=True)]
        return Row(f"claims/s at {words} ÷ at {FEWEST:,}", [Figure(ratios, bar)], f"{told(rates[queue])} jobs/s")

    most = row(f"{asked.most:,} queued", Queue(asked.most), Bar("≥", 0.8))
    numbers = "; ".join(f"at {depth:,}: {told(rates[Queue(depth)])} jobs/s" for depth in depths)
    rows = [
        Row(most.question, most.figures, f"{numbers}; getJob by getJob, {asked.slots} jobs each, over HTTP"),
        row(f"{asked.most:,} queued of {asked.submitters:,} submitters", crowd, Bar("≥", 0.8)),
        row(f"{asked.most:,} queued in {asked.priorities} priorities", spread, Bar("≥", 0.5)),
    ]
    points = [Point(depth, rates[Queue(depth)]) for depth in depths]
    return Answer(
        rows, [Curve("depth", "Claims against queue depth", "queued jobs", "claimed jobs/s", {"claims": points})]
    )


def _rates(queues: list[Queue], asked: argparse.Namespace) -> dict[Queue, list[float]]:
    """Jobs a second that workers are given out of each, a number a round."""
    rates: dict[Queue, list[float]] = {queue: [] for queue in queues}
    with ExitStack() as stack:
        workers = {queue: house.HandWorker(stack.enter_context(deep_server(queue)), slots=1000) for queue in queues}
        for number in range(asked.rounds + 1):
            for queue in queues if number % 2 else reversed(queues):
                rate = _claims(workers[queue], asked.claims, asked.slots)
                if number > 0:  # the first round warms up
                    rates[queue].append(rate)
    return rates


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
