"""What a worker offers by itself: CPUs and memory, as far as its control group lets it have them."""

import os
from pathlib import Path

import pytest

from rota.worker import machine

MINE = len(os.sched_getaffinity(0))
MEMINFO = "MemTotal:       16384000 kB\nMemFree:         1024 kB\n"


class Machine:
    """A /proc and a /sys/fs/cgroup that the test writes."""

    def __init__(self, folder: Path, groups: str) -> None:
        self.proc, self.cgroups = folder / "proc", folder / "cgroup"
        self.write(self.proc / "self/cgroup", groups)
        self.write(self.proc / "meminfo", MEMINFO)

    def write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def cpus(self) -> float:
        return machine.cpus(self.proc, self.cgroups)

    def memory_bytes(self) -> int | None:
        return machine.memory_bytes(self.proc, self.cgroups)


def test_without_limits_it_is_the_whole_machine(tmp_path: Path) -> None:
    here = Machine(tmp_path, "0::/user.slice/a.scope\n")

    assert here.cpus() == MINE
    assert here.memory_bytes() == 16384000 * 1024


def test_a_limit_of_a_group_above_is_one_for_all_below(tmp_path: Path) -> None:
    here = Machine(tmp_path, "0::/user.slice/a.scope\n")
    here.write(here.cgroups / "user.slice/cpu.max", "50000 100000\n")
    here.write(here.cgroups / "user.slice/memory.max", "1073741824\n")
    here.write(here.cgroups / "user.slice/a.scope/cpu.max", "max 100000\n")
    here.write(here.cgroups / "user.slice/a.scope/memory.max", "max\n")

    assert here.cpus() == 0.5
    assert here.memory_bytes() == 2**30


def test_in_a_container_the_groups_own_folder_is_the_top(tmp_path: Path) -> None:
    here = Machine(tmp_path, "0::/../../host/path\n")
    here.write(here.cgroups / "cpu.max", "75000 100000\n")
    here.write(here.cgroups / "memory.max", "2048\n")

    assert here.cpus() == 0.75
    assert here.memory_bytes() == 2048


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    here = Machine(tmp_path, "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n")
    here.write(here.cgroups / "cpu/docker/x/cpu.cfs_quota_us", "25000\n")
    here.write(here.cgroups / "cpu/docker/x/cpu.cfs_period_us", "100000\n")
    here.write(here.cgroups / "memory/docker/x/memory.limit_in_bytes", "4096\n")

    assert here.cpus() == 0.25
    assert here.memory_bytes() == 4096


def test_version_1_says_no_limit_with_a_huge_number_or_a_negative_one(tmp_path: Path) -> None:
    here = Machine(tmp_path, "4:memory:/\n2:cpu:/\n")
    here.write(here.cgroups / "cpu/cpu.cfs_quota_us", "-1\n")
    here.write(here.cgroups / "cpu/cpu.cfs_period_us", "100000\n")
    here.write(here.cgroups / "memory/memory.limit_in_bytes", "9223372036854771712\n")

    assert here.cpus() == MINE
    assert here.memory_bytes() == 16384000 * 1024


@pytest.mark.parametrize("text", ["", "garbage", "1 2 3", "max"])
def test_what_cannot_be_read_is_no_limit(tmp_path: Path, text: str) -> None:
    here = Machine(tmp_path, "0::/\n")
    here.write(here.cgroups / "cpu.max", text)
    here.write(here.cgroups / "memory.max", text)

    assert here.cpus() == MINE
    assert here.memory_bytes() == 16384000 * 1024


def test_a_system_without_all_that_offers_its_cpus(tmp_path: Path) -> None:
    assert machine.memory_bytes(tmp_path, tmp_path) is None
    assert machine.cpus(tmp_path, tmp_path) == MINE


def test_fewer_cpus_that_this_process_may_run_on_are_fewer(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.cpus(tmp_path, tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
