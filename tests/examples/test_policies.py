"""The package of policies is one that can be installed, and both of its policies do what they say."""

import os
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import free_port
from rota.protocol.spec import Spec
from rota.protocol.states import Verdict
from rota.scheduler.installed import Installed
from rota.scheduler.known import known_policies
from rota.scheduler.policies import Policies
from rota.world import SystemWorld
from scheduler.ends import finished, lost, result
from scheduler.packages import place
from waiting import until

HERE = Path(__file__).resolve().parents[2] / "examples" / "policies"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_the_installed_policy_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"]["rota.policies"]
    place(tmp_path, "", **points)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(HERE)]))
    policies = Policies({"careful": Installed("careful", 5.0)}, SystemWorld())
    spec = Spec(command=["true"], policy="careful")

    full, busy, failed, vanished = await policies.decide(
        [
            finished(spec, result(1), log_tail="cp: x: No space left on device"), finished(spec, result(75), 2),
            finished(spec, result(1)), lost(spec),
        ]
    )  # fmt: skip

    await policies.close()
    assert (full.verdict, full.delay_s, full.requires) == (None, 1, {"disk": "big"})
    assert (busy.verdict, busy.delay_s) == (None, 40)
    assert (failed.verdict, failed.message) == (Verdict.FAILED, None)
    assert (vanished.verdict, vanished.message) == (None, None)


@pytest.fixture
def outside() -> Iterator[str]:
    """Where the outside scheduler listens."""
    port = free_port()
    environ = {**os.environ, "SECRET": SECRET}
    process = subprocess.Popen([sys.executable, str(HERE / "outside.py"), str(port)], env=environ)
    until(lambda: is_open(port), 10, "it listens")
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.wait()


async def test_the_outside_scheduler_decides_and_answers_nobody_else(outside: str) -> None:
    spec, url = Spec(command=["true"], policy="triage"), {"triage": outside}
    ours = known_policies(url, {"triage": SECRET}, 5.0, SystemWorld())
    foreign = known_policies(url, {"triage": "whsec_" + "A" * 32}, 5.0, SystemWorld())

    first, third = await ours.decide([finished(spec, result(1), tries) for tries in (1, 3)])
    [refused] = await foreign.decide([finished(spec, result(1))])

    await ours.close()
    await foreign.close()
    assert first.message == "exit 1, try 1 of 10, again in 0.1 s: policy `triage`: not the third try yet"
    assert (third.verdict, third.message) == (Verdict.FAILED, None)
    assert "answered 401" in str(refused.message)
