"""What nobody would type: refused in two lines, what and what to do, before any server is asked."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Shell

BYTES = "\udcff"
"""As Python hands over a byte that is no UTF-8."""


def refused(done: subprocess.CompletedProcess[str], code: int = 2) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("rota: ")
    assert lines[1].startswith("      ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "x\ny"],
        ["show", ".."],
        ["show", BYTES],
        ["submit", "-e", f"A={BYTES}", "--", "true"],
        ["submit", "--", BYTES],
        ["submit", "--name", BYTES, "--", "true"],
        ["list", "--tag", f"{BYTES}=1"],
        ["list", "--environment", BYTES],
        ["list", "--name", "x" * 100_000],
        ["show", "x" * 100_000],
        ["submit", "--input", "/dev/zero", "--", "true"],
        ["submit", "--script", "/dev/zero"],
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)
def test_what_is_no_text_and_no_file_is_2(rota: Shell, arguments: list[str]) -> None:
    refused(rota(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--token", "é"],
        ["--token", "a\nb"],
        ["--server", "http://[::1"],
        ["--server", "http://127.0.0.1:99999"],
    ],
    ids=lambda words: ascii(words[1]),
)
def test_what_is_no_token_and_no_address_is_125(rota: Shell, arguments: list[str]) -> None:
    refused(rota("list", *arguments), 125)


def test_a_variable_that_is_no_text_is_2(rota: Shell) -> None:
    refused(rota("list", ROTA_TOKEN=BYTES))
    refused(rota("submit", "-e", "MINE", "--", "true", MINE=BYTES))


def test_inputs_are_regular_files_with_names_that_travel(rota: Shell, tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs/a").write_text("1")
    (tmp_path / "odd").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"/bad\xff")).touch()
    os.mkfifo(tmp_path / "fifo")

    for given in ("inputs:../x", "inputs/a:../x", "odd", "fifo"):
        refused(rota("submit", "--input", given, "--", "true"))


@pytest.mark.parametrize("words", ["list", "run -- true"])
def test_a_closed_stdout_is_2_and_submits_nothing(rota: Shell, words: str) -> None:
    shell = " ".join([*rota.command(), words])
    done = subprocess.run(
        ["sh", "-c", f"{shell} >&-"], capture_output=True, text=True, check=False, cwd=rota.folder, env=rota.environ
    )

    refused(done)


def test_a_closed_stderr_and_a_poor_terminal_hinder_nothing(rota: Shell) -> None:
    shell = " ".join([*rota.command(), "run -- true"])
    done = subprocess.run(["sh", "-c", f"{shell} 2>&-"], check=False, cwd=rota.folder, env=rota.environ)

    assert done.returncode == 0
    assert rota("show", "last", PYTHONIOENCODING="ascii").returncode == 0
