"""What the shepherd starts, and what it does not. Source: guarantees.md, G9, F19."""

import select
from pathlib import Path

from rota.worker.shepherd.herd import Herd
from rota.worker.shepherd.job import now
from rota.worker.shepherd.messages import LEASE, Start


def test_a_job_whose_lease_is_over_is_not_started_not_even_for_a_moment(tmp_path: Path) -> None:
    """An agent that was stopped between acknowledgement and start, and goes on, must not start what others run."""
    (tmp_path / "work").mkdir()
    herd = Herd(select.epoll())
    late = Start("a", [b"/bin/sh", b"-c", b"exit 0"], {}, str(tmp_path), now() - 0.001, None, 0, 1000, b"note")

    herd.start(late)

    assert herd.is_empty
    assert (herd.ended["a"].reason, herd.ended["a"].started_at, herd.ended["a"].note) == (LEASE, None, b"note")
