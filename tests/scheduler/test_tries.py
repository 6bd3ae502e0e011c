"""What follows a try of a delivery. Source: protocol.md, "Webhooks"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.protocol.webhook import After, ToSend
from rota.scheduler.tries import AGAIN_S_MAX, PAUSE_S_MAX, Answer, Patience, what_follows

PATIENCE = Patience(retry_s=5, give_up_s=3 * 86400)


def due(tries: int = 0, failing_s: float = 0, failures: int = 0) -> ToSend:
    return ToSend("d", "w", "e", "https://a.example", "whsec_", "{}", tries, failing_s, failures)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert what_follows(due(), Answer(status), PATIENCE, 0.5).after is After.DELIVERED


def test_410_disables() -> None:
    assert what_follows(due(), Answer(410), PATIENCE, 0.5).after is After.DISABLE


@pytest.mark.parametrize("status", [None, 301, 307, 400, 401, 403, 404, 429, 500, 502, 503])
def test_all_else_is_tried_again(status: int | None) -> None:
    tried = what_follows(due(), Answer(status), PATIENCE, 0.5)

    assert (tried.after, tried.again_s) == (After.AGAIN, 5)


@pytest.mark.parametrize(("status", "pauses"), [(None, True), (404, True), (500, True), (400, False), (422, False)])
def test_an_answer_about_the_event_alone_does_not_hold_up_those_behind_it(status: int | None, pauses: bool) -> None:  # noqa: FBT001
    assert (what_follows(due(), Answer(status), PATIENCE, 0.5).pause_s > 0) is pauses


def test_pauses_grow_and_have_a_bound() -> None:
    again = [what_follows(due(tries), Answer(500), PATIENCE, 0.5).again_s for tries in range(12)]
    pause = [what_follows(due(0, 0, failures), Answer(500), PATIENCE, 0.5).pause_s for failures in range(12)]

    assert again[:4] == [5, 15, 45, 135]
    assert again[-1] == AGAIN_S_MAX
    assert pause[:4] == [5, 10, 20, 40]
    assert pause[-1] == PAUSE_S_MAX


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_a_least_pause_for_all_of_the_webhook(status: int) -> None:
    tried = what_follows(due(), Answer(status, retry_after_s=600), PATIENCE, 0.5)

    assert (tried.again_s, tried.pause_s) == (600, 600)
    assert what_follows(due(), Answer(status, retry_after_s=1e9), PATIENCE, 0.5).again_s <= 86400
    assert what_follows(due(), Answer(500, retry_after_s=600), PATIENCE, 0.5).again_s == 5


def test_what_would_be_tried_again_too_late_is_dead() -> None:
    assert what_follows(due(9, PATIENCE.give_up_s - 60), Answer(500), PATIENCE, 0.5).after is After.DEAD


@given(
    st.one_of(st.none(), st.integers(100, 599)),
    st.integers(0, 10_000),
    st.floats(0, 1e9),
    st.integers(0, 10_000),
    st.one_of(st.none(), st.floats(0, 1e12)),
    st.floats(0, 1),
)
def test_every_answer_has_one_consequence_within_the_bounds(
    status: int | None, tries: int, failing_s: float, failures: int, retry_after_s: float | None, chance: float
) -> None:
    one, answer = due(tries, failing_s, failures), Answer(status, None, retry_after_s)

    tried = what_follows(one, answer, PATIENCE, chance)

    assert tried == what_follows(one, answer, PATIENCE, chance)
    assert (tried.after is After.DELIVERED) == (status is not None and 200 <= status < 300)
    assert 0 <= tried.again_s <= 86400
    assert 0 <= tried.pause_s <= 86400
    if tried.after is After.AGAIN:
        assert failing_s + tried.again_s <= PATIENCE.give_up_s
        assert tried.again_s > 0
