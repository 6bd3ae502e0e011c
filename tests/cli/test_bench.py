"""`rota bench`: a server and a worker of its own, measured next to bare processes; nothing of it stays."""

import signal
from pathlib import Path

from cli.conftest import Shell, variables
from cli.test_dev import processes_of, stopped

FEW = ("bench", "--jobs", "12", "--slots", "4", "--single", "3", "--rounds", "2")


def shell_with_temporary_folder(tmp_path: Path) -> tuple[Shell, Path]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return Shell(variables(tmp_path, TMPDIR=str(folder)), tmp_path), folder


def test_bench_prints_a_table_and_leaves_nothing(tmp_path: Path) -> None:
    shell, folder = shell_with_temporary_folder(tmp_path)
    done = shell(*FEW)

    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split("  ")[0] == "MEASURED"
    assert [line.split("  ")[0] for line in lines] == [
        "12 x true, 4 slots",
        "submission to result, one at a time, p50",
        "submission to result, one at a time, p99",
    ]
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


def test_bench_tells_each_round_as_json(tmp_path: Path) -> None:
    shell, _ = shell_with_temporary_folder(tmp_path)
    told = shell.json(*FEW)

    assert (told["jobs"], told["slots"], told["single"], len(told["rounds"])) == (12, 4, 3, 2)
    for measured in told["rounds"]:
        assert measured["jobs_per_s"] > 0
        assert measured["throughput_ratio"] == measured["jobs_per_s"] / measured["bare_per_s"]
        assert 0 < measured["p50_s"] <= measured["p99_s"]
        assert measured["p50_ratio"] == measured["p50_s"] / measured["bare_p50_s"]


def test_bench_that_is_interrupted_cleans_up(tmp_path: Path) -> None:
    shell, folder = shell_with_temporary_folder(tmp_path)
    bench = shell.start("bench", "--jobs", "5000", "--slots", "2", "--rounds", "9")
    assert bench.stderr is not None
    while b"jobs at once" not in bench.stderr.readline():
        pass

    assert stopped(bench, signal.SIGTERM) == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []
