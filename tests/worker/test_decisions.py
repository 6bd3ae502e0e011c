"""What a worker decides without asking anyone: pauses, deadlines, when to renew, where a credential may be sent."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from rota.protocol.enrol import Enrolled, WorkerCredential
from rota.protocol.ids import WorkerId
from rota.protocol.problems import Unavailable
from rota.worker.backoff import Backoff
from rota.worker.credential import Kept, life_s, load, relocated, save
from rota.worker.held import lease_end, stop_margin_s
from rota.worker.options import WrongOption, check_url
from rota.worker.shepherd import memory
from rota.world import SystemWorld


@dataclass
class Chance(SystemWorld):
    """A world whose dice are loaded."""

    value: float

    def random(self) -> float:
        return self.value


def test_pauses_double_up_to_their_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(Chance(0.5), first_s=1, max_s=30)

    assert [backoff.pause_s() for _ in range(7)] == [0.5, 1, 2, 4, 8, 15, 15]
    backoff.succeeded()
    assert backoff.pause_s() == 0.5


def test_full_jitter_may_choose_any_pause_below() -> None:
    assert Backoff(Chance(0.0), first_s=1).pause_s() == 0
    assert Backoff(Chance(0.999), first_s=1).pause_s() == 0.999


def test_a_retry_after_is_obeyed_and_spread() -> None:
    """Source: guarantees.md, F26."""
    asked = Unavailable("not now", retry_after_s=4)

    assert [Backoff(Chance(dice)).pause_s(asked) for dice in (0.0, 0.5)] == [4, 5]
    assert Backoff(Chance(0.0), max_s=2).pause_s(asked) == 2


def test_a_job_is_gone_before_its_lease_ends() -> None:
    assert lease_end(sent_at=100, lease_s=30, margin_s=1) == 129
    assert stop_margin_s(wanted_s=1, heartbeat_s=10) == 1
    assert stop_margin_s(wanted_s=1, heartbeat_s=0.5) == 0.25


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8", "https://rota.example.org/"]
)
def test_a_credential_may_go_to_this_machine_or_be_encrypted(url: str) -> None:
    assert check_url(url, insecure=False) == url.rstrip("/")


@pytest.mark.parametrize("url", ["http://rota.example.org", "http://10.0.0.1", "rota.example.org", "ftp://localhost"])
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(WrongOption):
        check_url(url, insecure=False)


def _token(**claims: int) -> WorkerCredential:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return WorkerCredential("jwt", token=f"e30.{middle}.sig", expires_at="2026-01-01T00:00:00Z")


def test_a_tokens_life_is_told_by_its_issuers_clock() -> None:
    """A worker's clock that is two hours off changes nothing. Source: guarantees.md, G15, F49."""
    assert life_s(_token(iat=1000, exp=1900), present=999_999) == 900


def test_a_life_without_such_claims_is_told_by_expires_at() -> None:
    present = datetime(2025, 12, 31, 23, 0, tzinfo=UTC).timestamp()

    assert life_s(WorkerCredential("jwt", token="opaque", expires_at="2026-01-01T00:00:00Z"), present) == 3600
    assert life_s(WorkerCredential("basic", username="u", password="p"), present) is None


def _kept(gateway: str, registry: str) -> Kept:
    credential = WorkerCredential("basic", username="u", password="p")
    enrolled = Enrolled(WorkerId("w"), "default", credential, gateway, registry, 10)
    return Kept(registry, {}, enrolled, 0)


def test_a_server_that_moved_takes_its_gateway_along() -> None:
    moved = relocated(_kept("http://old", "http://old"), "http://new").enrolled
    apart = relocated(_kept("http://gateway", "http://old"), "http://new").enrolled

    assert (moved.gateway_url, moved.registry_url) == ("http://new", "http://new")
    assert (apart.gateway_url, apart.registry_url) == ("http://gateway", "http://new")


def test_a_credential_is_kept_for_this_user_alone_and_a_broken_one_is_none(tmp_path: Path) -> None:
    save(tmp_path, _kept("http://g", "http://r"))
    assert load(tmp_path) == _kept("http://g", "http://r")
    assert (tmp_path / "credential.json").stat().st_mode & 0o777 == 0o600

    (tmp_path / "credential.json").write_bytes(msgspec.json.encode({"server_url": "x"}))
    assert load(tmp_path) is None


def test_out_of_memory_is_what_the_kernel_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: guarantees.md, F30, G12."""
    counter = tmp_path / "memory.events"
    counter.write_text("oom 3\noom_kill 2\n")
    monkeypatch.setattr(memory, "_counter", lambda: counter)
    watch = memory.OutOfMemory()

    assert not watch.has_struck()
    counter.write_text("oom 4\noom_kill 3\n")
    assert watch.has_struck()
    assert not watch.has_struck()
