"""The Job service is killed while it commits a submission: a retry with the key makes it once.

Source: guarantees.md, G1, F1.
"""

from pathlib import Path

import httpx2
import pytest

import dying_disk
from house import Json, Server


class DyingServer(Server):
    """Killed by itself at a write of the commit, once a file exists."""

    program = (str(Path(dying_disk.__file__)),)

    def __init__(self, data: Path, dies_at_write: int) -> None:
        self.dies_once = data.with_suffix(".dies")
        super().__init__(data, DIES_ONCE=str(self.dies_once), DIES_AT_WRITE=str(dies_at_write))

    def jobs(self) -> list[Json]:
        """All there are."""
        with self.client() as admin:
            found: list[Json] = admin.get("/api/v1/jobs").json()["jobs"]
            return found


@pytest.mark.parametrize("dies_at_write", [0, 3])
def test_a_submission_that_was_not_committed_is_made_by_the_retry_and_once(tmp_path: Path, dies_at_write: int) -> None:
    server = DyingServer(tmp_path / "data", dies_at_write)
    spec, headers = {"command": ["true"]}, {"Idempotency-Key": "once"}
    try:
        server.dies_once.touch()
        with server.client() as admin, pytest.raises(httpx2.TransportError):
            admin.post("/api/v1/jobs", json=spec, headers=headers)
        assert server.process.wait(10) == -9
        server.dies_once.unlink()
        server.start()
        assert server.jobs() == [], "the kill came before the commit"

        with server.client() as admin:
            told = [admin.post("/api/v1/jobs", json=spec, headers=headers) for _ in range(2)]

        assert [answer.status_code for answer in told] == [201, 201]
        assert [job["id"] for job in server.jobs()] == [told[0].json()["id"]]
        assert told[1].json()["id"] == told[0].json()["id"]
    finally:
        server.stop()
