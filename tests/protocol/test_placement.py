"""Which worker may be given which job. Source: placement.py."""

import pytest

from rota.protocol.placement import QueueKey, fits

KEY = QueueKey("lab", "process", {"gpu": "yes", "site": "north"})
LABELS = {"gpu": "yes", "site": "north", "os": "linux"}


def test_a_worker_that_has_all_that_is_asked_fits() -> None:
    assert fits(KEY, "lab", ["process", "container"], LABELS)


def test_a_job_that_asks_for_nothing_fits_every_worker_of_its_environment() -> None:
    assert fits(QueueKey("lab", "process", {}), "lab", ["process"], {})


@pytest.mark.parametrize(
    ("environment", "executors", "labels"),
    [
        ("office", ["process"], LABELS),
        ("lab", ["container"], LABELS),
        ("lab", [], LABELS),
        ("lab", ["process"], LABELS | {"gpu": "no"}),
        ("lab", ["process"], LABELS | {"gpu": "YES"}),
        ("lab", ["process"], {"gpu": "yes"}),
        ("lab", ["process"], {}),
    ],
)
def test_one_thing_missing_is_enough_not_to_fit(environment: str, executors: list[str], labels: dict[str, str]) -> None:
    assert not fits(KEY, environment, executors, labels)
