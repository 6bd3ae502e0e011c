"""A short storm over real processes: nothing is lost, and nothing runs twice. `make chaos` is the long one."""

from pathlib import Path

import pytest

from chaos.play import play
from chaos.storm import Wanted


@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nothing_runs_twice_while_everybody_is_killed(tmp_path: Path) -> None:
    """Source: guarantees.md, F7, F8, F23."""
    told = play(tmp_path, Wanted(seconds=12, jobs=100, seed=4))

    assert told.wrong == [], "\n".join(told.lines)
