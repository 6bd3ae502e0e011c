"""Policies of installed packages, each in a real process of its own: what they say, and whatever else they do."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rota.protocol.retry import Retry
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Verdict
from rota.scheduler.installed import Installed
from rota.scheduler.policies import FAILURES_MAX, Policies
from rota.world import SystemWorld
from scheduler.ends import ended, finished, lost, result
from scheduler.packages import install
from waiting import until

SOURCE = '''
"""Good, bad and worse policies."""
import os, sys, time
from rota.protocol.policy import Again, PolicyAnswer

def careful(ended):
    if ended.result is None:
        return None
    if ended.result.exit_code == 75:
        return PolicyAnswer(again=Again(delay_s=12, requires={"site": "b"}), message=f"the tail says {ended.log_tail}")
    return PolicyAnswer(verdict="succeeded" if ended.result.exit_code == 9 else "failed")

def raises(ended): raise ValueError("what is this?")
def leaves(ended): sys.exit(3)
def dies(ended): os.kill(os.getpid(), 9)
def hangs(ended):
    print("hanging", os.getpid(), file=open(os.environ["HANGS_IN"], "w"), flush=True)
    while True: pass
def nonsense(ended): return 42
def neither(ended): return PolicyAnswer()
def half(ended): return PolicyAnswer(verdict="perhaps")
def forever(ended): return PolicyAnswer(again=Again(delay_s=float("inf")))
def prints(ended):
    print("to stdout"); sys.stdout.flush(); os.write(1, b"{}\\n")
    return PolicyAnswer(verdict="failed", message="printed")
def winner(ended): return PolicyAnswer(verdict="succeeded")
def again(ended): return PolicyAnswer(again=Again())
thing = 7
'''
NAMES = ("careful", "raises", "leaves", "dies", "hangs", "nonsense", "neither", "half", "forever", "prints", "winner",
         "again", "thing")  # fmt: skip


@pytest.fixture
async def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Policies]:
    points = {name: f"foreign:{name}" for name in NAMES}
    install(tmp_path, monkeypatch, SOURCE, **points, missing="foreign:missing", broken="nowhere:policy")
    monkeypatch.setenv("HANGS_IN", str(tmp_path / "hangs"))
    names = (*NAMES, "missing", "broken")
    made = Policies({name: Installed(name, 1.0) for name in names}, SystemWorld())
    yield made
    await made.close()


def spec(policy: str, retry: Retry | None = None) -> Spec:
    return Spec(command=["true"], policy=policy, retry=retry)


async def test_a_policy_says_what_follows(policies: Policies) -> None:
    what = [finished(spec("careful"), result(code), log_tail="disk full") for code in (75, 9, 1)]

    again, good, bad = await policies.decide(what)

    assert (again.verdict, again.delay_s, again.requires) == (None, 12, {"site": "b"})
    assert again.message == "exit 75, try 1 of 10, again in 12 s with site=b: policy `careful`: the tail says disk full"
    assert (good.verdict, bad.verdict) == (Verdict.SUCCEEDED, Verdict.FAILED)


async def test_where_it_says_nothing_it_is_decided_as_usual(policies: Policies) -> None:
    [decision] = await policies.decide([lost(spec("careful"))])

    assert (decision.verdict, decision.message) == (None, None)


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED])
async def test_of_what_was_cancelled_or_has_expired_it_is_not_asked(policies: Policies, state: JobState) -> None:
    [decision] = await policies.decide([ended(spec("winner"), state, result(1), 1, 0, AttemptState.CANCELLED)])

    assert decision.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("raises", "raised ValueError: what is this?"),
        ("leaves", "raised SystemExit: 3"),
        ("dies", "ended its process (signal 9)"),
        ("hangs", "did not answer within 1 s"),
        ("nonsense", "returned int instead of a PolicyAnswer or None"),
        ("neither", "exactly one of `verdict`, `again`"),
        ("half", "returned a PolicyAnswer that cannot be"),
        ("forever", "returned a PolicyAnswer that cannot be"),
        ("thing", "cannot be loaded: foreign:thing is no function"),
        ("missing", "cannot be loaded: AttributeError"),
        ("broken", "cannot be loaded: ModuleNotFoundError"),
        ("unheard-of", "this scheduler knows no policy `unheard-of`"),
    ],
)
async def test_a_policy_that_fails_is_done_without_and_the_job_says_why(
    policies: Policies, policy: str, why: str
) -> None:
    [decision] = await policies.decide([finished(spec(policy, Retry(3)), result(1))])

    assert decision.verdict is None
    assert decision.message is not None
    assert decision.message.startswith("exit 1, try 1 of 3, again at once; ")
    assert why in decision.message
    assert decision.message.endswith("decided without it")


async def test_what_a_policy_prints_is_not_its_answer(policies: Policies) -> None:
    [decision] = await policies.decide([finished(spec("prints"), result(1))])

    assert decision.message == "policy `prints`: printed"


async def test_one_that_died_is_asked_again_in_a_new_process(policies: Policies) -> None:
    what = finished(spec("dies"), result(1))

    first, second = [(await policies.decide([what]))[0].message for _ in range(2)]

    assert first == second
    assert "signal 9" in str(second)


async def test_one_that_hangs_does_not_hang_the_others_and_is_ended(policies: Policies, tmp_path: Path) -> None:
    what = [finished(spec(name), result(1)) for name in ("hangs", "careful", "raises")]

    decisions = await policies.decide(what)

    assert [decision.verdict for decision in decisions] == [Verdict.FAILED] * 3
    pid = int((tmp_path / "hangs").read_text().split()[1])
    until(lambda: not _is_alive(pid), 5, "the process of the policy that hung is gone")


async def test_one_that_costs_its_time_limit_again_and_again_is_left_alone_for_a_while(policies: Policies) -> None:
    for _ in range(FAILURES_MAX):
        await policies.decide([finished(spec("dies"), result(1))])

    [decision] = await policies.decide([finished(spec("dies"), result(1))])

    assert "is not asked for a while" in str(decision.message)
    assert (await policies.decide([finished(spec("careful"), result(9))]))[0].verdict is Verdict.SUCCEEDED


async def test_no_policy_has_more_tries_than_the_job_allows(policies: Policies) -> None:
    decisions = await policies.decide(
        [finished(spec("again", retry), result(1), tries) for retry in (None, Retry(2)) for tries in (1, 2, 9, 10, 11)]
    )

    verdicts = [decision.verdict for decision in decisions]
    assert verdicts == [None, None, None, Verdict.FAILED, Verdict.FAILED] + [None] + [Verdict.FAILED] * 4
    assert decisions[-1].message == "policy `again`; 11 of 2 tries used"


async def test_no_policy_calls_a_job_succeeded_that_brought_no_result(policies: Policies) -> None:
    [decision] = await policies.decide([lost(spec("winner"), 3, 3)])

    assert decision.verdict is Verdict.FAILED
    assert "brought no result" in str(decision.message)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
