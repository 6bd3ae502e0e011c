"""Which ends are tried again, and when: a table. Source: protocol.md, `retry`."""

import pytest

from rota.protocol.decide import Ended
from rota.protocol.job_finished import Reason, Result
from rota.protocol.retry import Backoff, RetryReason, Rule
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Verdict
from rota.scheduler.decide import LOSSES_MAX, decide
from scheduler.ends import ended, finished, lost, refused, result, retrying

CODES = Rule(exit_codes=[75, "100-120"])
KILLED = Rule(signals=["SIGKILL"])
TIMED_OUT, OOM = Rule(reasons=[RetryReason.TIMED_OUT]), Rule(reasons=[RetryReason.OUT_OF_MEMORY])
KILL = "SIGKILL"


@pytest.mark.parametrize(
    ("rule", "how", "is_tried_again"),
    [
        (CODES, result(75), True),
        (CODES, result(100), True),
        (CODES, result(120), True),
        (CODES, result(121), False),
        (CODES, result(75, Reason.TIMED_OUT), False),
        (Rule(exit_codes=[75], reasons=[RetryReason.TIMED_OUT]), result(75, Reason.TIMED_OUT), True),
        (Rule(exit_codes=[75], reasons=[RetryReason.TIMED_OUT]), result(75), False),
        (CODES, result(None, Reason.SIGNALED, KILL), False),
        (KILLED, result(None, Reason.SIGNALED, KILL), True),
        (KILLED, result(None, Reason.SIGNALED, "SIGTERM"), False),
        (KILLED, result(None, Reason.OUT_OF_MEMORY, KILL), True),
        (KILLED, result(None, Reason.TIMED_OUT, KILL), False),
        (TIMED_OUT, result(None, Reason.TIMED_OUT, KILL), True),
        (TIMED_OUT, result(1), False),
        (OOM, result(None, Reason.OUT_OF_MEMORY, KILL), True),
        (Rule(reasons=[RetryReason.NOT_STARTED]), result(127, Reason.NOT_STARTED), True),
        (Rule(exit_codes=[127]), result(127, Reason.NOT_STARTED), True),
        (Rule(log="conn.*reset"), result(1), True),
        (Rule(log="^reset"), result(1), False),
        (Rule(log="conn.*reset", exit_codes=[1]), result(1), True),
        (Rule(log="conn.*reset", exit_codes=[2]), result(1), False),
    ],
)
def test_a_rule_matches_where_all_its_keys_do(rule: Rule, how: Result, *, is_tried_again: bool) -> None:
    decision = decide(finished(retrying(rule), how, log_tail="begin\nconnection reset by peer"))

    assert (decision.verdict is None) is is_tried_again
    assert decision.rule == (0 if is_tried_again else None)


def test_without_rules_whatever_did_not_succeed_is_tried_again() -> None:
    spec = retrying()

    assert decide(finished(spec, result(0))).verdict is Verdict.SUCCEEDED
    assert decide(finished(spec, result(1))).verdict is None
    assert decide(finished(spec, result(None, Reason.TIMED_OUT, KILL))).verdict is None
    assert decide(lost(spec)).verdict is None


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED])
def test_what_was_cancelled_or_has_expired_is_never_tried_again(state: JobState) -> None:
    decision = decide(ended(retrying(tries=100), state, result(1), 1, 0, AttemptState.CANCELLED))

    assert decision.verdict is Verdict.FAILED


def test_the_exit_codes_of_a_success_are_the_specs() -> None:
    spec = Spec(command=["true"], success_exit_codes=[3, "10-12"])

    verdicts = [decide(finished(spec, result(code))).verdict for code in (0, 3, 9, 10, 12)]

    assert verdicts == [Verdict.FAILED, Verdict.SUCCEEDED, Verdict.FAILED, Verdict.SUCCEEDED, Verdict.SUCCEEDED]


def test_no_result_is_a_success_but_one_that_exited() -> None:
    spec = Spec(command=["true"], success_exit_codes=[0, 3])

    for reason in set(Reason) - {Reason.EXITED}:
        assert decide(finished(spec, result(3, reason))).verdict is Verdict.FAILED


def test_the_last_try_is_the_last() -> None:
    decisions = [decide(finished(retrying(CODES), result(75), tries)) for tries in (1, 2, 3)]

    assert [decision.verdict for decision in decisions] == [None, None, Verdict.FAILED]
    assert [decision.message for decision in decisions] == [
        "exit 75, try 1 of 3, again at once", "exit 75, try 2 of 3, again at once", "3 of 3 tries used",
    ]  # fmt: skip


def test_an_end_that_no_rule_names_says_so() -> None:
    assert decide(finished(retrying(CODES), result(1))).message == "try 1 of 3: no rule of its `retry.on` matches"


def test_a_lost_try_that_no_rule_names_is_tried_again_as_without_a_retry() -> None:
    spec = retrying(CODES, tries=10)

    verdicts = [decide(lost(spec, losses, losses)).verdict for losses in range(1, LOSSES_MAX + 1)]

    assert verdicts == [None] * (LOSSES_MAX - 1) + [Verdict.FAILED]


def test_a_job_that_may_be_tried_once_is_not_tried_again_though_its_worker_vanished() -> None:
    assert decide(lost(retrying(CODES, tries=1))).verdict is Verdict.FAILED


def test_a_rule_that_names_lost_tries_says_how_often() -> None:
    spec = retrying(Rule(reasons=[RetryReason.LOST], max=5), tries=100)

    assert decide(lost(spec, 5, 5, by_rule=[4])).verdict is None
    assert decide(lost(spec, 6, 6, by_rule=[5])).verdict is Verdict.FAILED


def test_where_a_rule_is_used_up_the_next_that_matches_applies() -> None:
    spec = retrying(Rule(exit_codes=[75], max=1, delay_s=1), Rule(exit_codes=["70-79"], delay_s=60), tries=100)

    decisions = [decide(finished(spec, result(75), by_rule=used)) for used in ([], [1], [1, 7])]

    assert [(decision.rule, decision.delay_s) for decision in decisions] == [(0, 1), (1, 60), (1, 60)]


def test_a_rule_says_what_else_the_next_try_asks_for() -> None:
    spec = retrying(Rule(reasons=[RetryReason.OUT_OF_MEMORY], requires={"mem": "big"}))

    decision = decide(finished(spec, result(None, Reason.OUT_OF_MEMORY, KILL)))

    assert decision.requires == {"mem": "big"}
    assert decision.message == "out of memory, try 1 of 3, again at once with mem=big"
    assert decide(finished(retrying(), result(1))).requires is None


def test_a_refusal_with_a_rule_waits_as_the_rule_says_and_is_never_an_end() -> None:
    spec = retrying(Rule(reasons=[RetryReason.REFUSED], delay_s=5, max=2, requires={"site": "other"}), tries=1)

    decisions = [decide(refused(spec, count, by_rule=[count - 1])) for count in (1, 2, 3)]

    assert [(one.verdict, one.delay_s, one.rule) for one in decisions] == [(None, 5, 0), (None, 5, 0), (None, 0, None)]
    assert decisions[0].requires == {"site": "other"}


def pauses(backoff: Backoff, chance: float = 0.0, tries: int = 8) -> list[float]:
    spec = retrying(tries=1000, backoff=backoff)
    return [decide(finished(spec, result(1), number), chance).delay_s for number in range(1, tries)]


def test_each_pause_is_the_factor_longer_than_the_one_before_up_to_the_longest() -> None:
    assert pauses(Backoff(2, 3, 100)) == pytest.approx([2, 6, 18, 54, 100, 100, 100])
    assert pauses(Backoff(5), tries=4) == pytest.approx([5, 10, 20])
    assert pauses(Backoff(400), tries=3) == pytest.approx([400, 400])


def test_jitter_takes_its_part_away_and_no_more() -> None:
    assert pauses(Backoff(10, 1, 10, 0.5), chance=0.5, tries=2) == pytest.approx([7.5])
    assert pauses(Backoff(10, 1, 10, 0), chance=0.9, tries=2) == [10]


def test_a_pause_of_the_thousandth_try_is_a_number() -> None:
    for initial_s in (5e-324, 1e-9, 1.0, 3600.0):
        spec = retrying(tries=1000, backoff=Backoff(initial_s, 1000, 3600))

        assert decide(finished(spec, result(1), 999)).delay_s == 3600


def test_a_rules_own_pause_goes_before_the_backoff() -> None:
    spec = retrying(Rule(exit_codes=[75], delay_s=1), backoff=Backoff(60))

    assert decide(finished(spec, result(75))).delay_s == 1


def test_an_ended_job_of_an_older_server_is_decided_too() -> None:
    old = Ended(lost(Spec()).job_id, None, JobState.WAITING, Spec(command=["true"]), None, 1, 1)

    assert decide(old).verdict is None
