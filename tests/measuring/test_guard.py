"""`make bench-guard` judges medians by bars and says where its own bar is not the issue's. Source: bench/guard.py."""

from typing import Literal

import pytest

import guard
from table import Answer, Bar, Figure, Row

AT_LEAST, AT_MOST = Bar("≥", 0.5), Bar("≤", 0.5)


@pytest.mark.parametrize(
    ("sign", "values", "kept"),
    [
        ("≥", [0.6], True),
        ("≥", [0.5], True),
        ("≥", [0.4], False),
        ("≥", [0.1, 0.6, 0.7], True),  # the median counts, not a round that somebody disturbed
        ("≥", [0.1, 0.4, 9.0], False),
        ("≤", [0.4], True),
        ("≤", [0.5], True),
        ("≤", [0.6], False),
        ("≤", [0.1, 0.4, 9.0], True),
    ],
)
def test_a_median_is_held_against_the_bar(sign: Literal["≥", "≤"], values: list[float], *, kept: bool) -> None:
    is_kept, line = guard.judge("a ratio", Bar(sign, 0.5), Figure(values))

    assert is_kept is kept
    assert line.startswith("ok " if kept else "PAST")
    assert f"bar {sign} 0.5" in line


@pytest.mark.parametrize(
    ("of_the_issue", "words"),
    [(None, None), (AT_LEAST, None), (Bar("≥", 0.75, aim=0.9), "(bar of the issue: ≥ 0.75, aim at 0.9)")],
)
def test_a_bar_that_is_not_the_issues_says_so(of_the_issue: Bar | None, words: str | None) -> None:
    _, line = guard.judge("a ratio", AT_LEAST, Figure([0.6], of_the_issue))

    assert ("bar of the issue" in line) is (words is not None)
    assert words is None or line.endswith(words)


@pytest.mark.parametrize(("measured", "code"), [([0.6, 0.4], 0), ([0.4, 0.4], 1), ([0.6, 0.6], 1)])
def test_one_figure_past_its_bar_makes_the_whole_fail(
    measured: list[float], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer([Row("both", [Figure([measured[0]]), Figure([measured[1]])])])
    both = [guard.Guard("least", AT_LEAST), guard.Guard("most", AT_MOST, figure=1)]
    monkeypatch.setattr(guard, "QUESTIONS", [(lambda _sizes: answer, {}, both)])

    assert guard.main() == code


def test_a_row_that_was_not_measured_keeps_no_bar_and_says_why() -> None:
    row = Row("how fast", failure="no compiler")

    assert row.is_kept is False
    assert "**not measured**: no compiler" in row.cells()
