"""`--label KEY=VALUE…`: several values behind one option, or the option before each."""

import pytest

from rota.cli.repeated import repeated
from rota.cli.run import command as run
from rota.cli.server import command as server
from rota.cli.worker import command as worker


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data d --only jobs scheduler --listen a:1", "--data d --only jobs --only scheduler --listen a:1"),
        ("--only jobs --only scheduler --data d", "--only jobs --only scheduler --data d"),
        ("--only jobs", "--only jobs"),
    ],
)
def test_several_values_behind_one_option(words: str, told: str) -> None:
    assert repeated(words.split(), server.params) == told.split()


def test_labels_of_a_worker() -> None:
    words = ["--label", "a=1", "b=2", "--slots", "2", "--label", "c=3"]

    assert repeated(words, worker.params) == ["--label", "a=1", "--label", "b=2", "--slots", "2", "--label", "c=3"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--env A=1 B=2 --artifact x y -- make C=3", "--env A=1 --env B=2 --artifact x --artifact y -- make C=3"),
        ("--env A=1 make C=3", "--env A=1 make C=3"),  # the command begins at make
        ("--env A=1 make -- C=3", "--env A=1 make -- C=3"),
        ("--timeout 5 -- make", "--timeout 5 -- make"),
    ],
)
def test_a_jobs_own_words_are_not_taken(words: str, told: str) -> None:
    assert repeated(words.split(), run.params) == told.split()
