"""How long the submission of many specs in one request takes; no worker is there."""

import time

from scene import options, spread, starting_server
from scene import submit as submit_jobs


def measure(specs: int, rounds: int) -> dict[str, str]:
    """A row of the table: seconds until all are durable and the ids are read."""
    took = []
    with starting_server() as server, server.client() as client:
        for _ in range(rounds):
            began = time.monotonic()
            assert len(submit_jobs(client, specs)) == specs
            took.append(time.monotonic() - began)
    return {
        "question": f"submit {specs:,} specs in one request",
        "measured": f"**{spread(took)}** s",
        "numbers": "with writing the request and reading the answer in the client",
    }


if __name__ == "__main__":
    asked = options(specs=10_000, rounds=5)
    print(measure(asked.specs, asked.rounds))
