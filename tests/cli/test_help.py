"""Help: of every command, with examples, and at once."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.conftest import Shell
from rota.cli.main import ALIASES, SENTENCES, cli
from rota.settings import SETTINGS

HEAVY = {
    "aiohttp", "asyncio", "httpx2", "msgspec", "rich", "rota.client", "rota.serve", "rota.server", "rota.worker",
    "starlette", "uvicorn",
}  # fmt: skip
"""What `rota --help` must not wait for. Source: interface.md, "Budgets"."""


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


ALL = list(commands(cli, "rota"))


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_s_help_has_examples_and_every_option_words(name: str, command: click.Command) -> None:
    context = click.Context(command, info_name=name)
    shown = command.get_help(context)

    examples = shown.partition("Examples:\n")[2].splitlines()
    assert examples
    assert all(name in line or "$(rota" in line or " rota " in line for line in examples), examples
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_every_command_s_help_can_be_asked_for_in_short_too(name: str, command: click.Command) -> None:
    """Also where the command is met without `rota` before it, as another program of click's would."""
    assert command.get_help_option_names(click.Context(command, info_name=name)) == ["-h", "--help"]


def test_the_list_says_of_each_command_what_its_own_help_says() -> None:
    top = {name.removeprefix("rota "): command for name, command in ALL if name.count(" ") == 1}
    first_lines = {name: (command.help or "").split("\n\n")[0].replace("\n", " ") for name, command in top.items()}

    assert first_lines == SENTENCES
    assert set(ALIASES.values()) <= set(SENTENCES)


def test_options_that_outside_programs_rely_on_name_their_variable(nobody: Shell) -> None:
    for command, options in {
        "run": ["ENVIRONMENT", "REQUIRE", "ENV", "ARTIFACT", "TIMEOUT", "SERVER", "TOKEN"],
        "worker": ["SERVER", "TOKEN", "NAME", "SLOTS", "LABEL", "WORK_DIR"],
        "server": ["DATA", "LISTEN", "ONLY", "DATABASE", "BLOBS"],
    }.items():
        shown = " ".join(nobody(command, "--help").stdout.split())
        assert [option for option in options if f"[env: ROTA_{option}" not in shown] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["lst"]], ids=" ".join)
def test_help_is_there_before_anything_heavy_is_loaded(arguments: list[str]) -> None:
    code = f"import sys\nfrom rota.cli.main import run\nrun({arguments!r})\nprint(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))

    assert loaded & HEAVY == (
        {"asyncio", "httpx2", "msgspec", "rota.client"} & loaded if arguments == ["lst"] else set()
    )


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_a_command_s_help_loads_no_http_library(name: str) -> None:
    code = f"import sys\nfrom rota.cli.main import run\nrun([{name!r}, '--help'])\nprint(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))

    assert loaded & {"httpx2", "aiohttp", "starlette", "uvicorn", "rich"} == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_completes_commands(nobody: Shell, shell: str) -> None:
    script = nobody("completion", shell)
    completed = nobody("", _ROTA_COMPLETE="bash_complete", COMP_WORDS="rota ca", COMP_CWORD="1")

    assert "_ROTA_COMPLETE" in script.stdout
    assert completed.stdout == "plain,cancel\n"


def test_colours_are_there_for_a_terminal_only_and_as_wanted(rota: Shell) -> None:
    rota("run", "--", "true")
    on_terminal = rota.terminal("show", "last")
    assert on_terminal.ends() == 0
    plain_terminal = rota.terminal("show", "last", NO_COLOR="1")
    assert plain_terminal.ends() == 0

    assert "\x1b[32m" in on_terminal.shown
    assert "\x1b[" not in plain_terminal.shown
    assert "\x1b[" not in rota("show", "last").stdout
    assert "\x1b[32m" in rota("show", "--color", "always", "last").stdout
    assert "\x1b[32m" in rota("show", "last", NO_COLOR="", FORCE_COLOR="1").stdout


def test_rota_alone_prints_its_help_as_it_is(nobody: Shell) -> None:
    done = nobody()

    assert done.returncode == 2
    assert done.stderr.startswith("Usage: rota")
    assert done.stderr.splitlines() == nobody("--help").stdout.splitlines()


RUNS = [
    (name, line)
    for name, command in [("rota", cli), *ALL]
    for line in command.get_help(click.Context(command, info_name=name)).partition("Examples:\n")[2].splitlines()
    if re.search(r"rota (run|submit) ", line)
]


@pytest.mark.parametrize(("name", "line"), RUNS, ids=[line.strip() for _, line in RUNS])
def test_an_example_that_runs_a_job_works_as_printed(rota: Shell, name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("b\na\n")
    (tmp_path / "build.sh").write_text("mkdir out; date > out/when.txt")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    bounded = line.replace("sleep 60", "sleep 0.1")

    done = subprocess.run(
        ["sh", "-c", bounded],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**rota.environ, "PATH": path},
    )

    assert done.returncode == 0, f"{name}: {done.stderr}"
    waited = rota("wait", "last")
    assert waited.returncode == 0, waited.stderr


def test_no_variable_means_two_things_and_none_that_a_job_finds_is_an_option_s() -> None:
    servers = {setting.variable for setting in SETTINGS} - {"ROTA_DATA"}  # the same folder everywhere
    variables = {
        (name, str(option.envvar))
        for name, command in ALL
        for option in command.params
        if isinstance(option, click.Option) and option.envvar is not None and name != "rota server"
    }

    assert {variable for _, variable in variables} & {"ROTA_JOB_ID", "ROTA_ATTEMPT", "ROTA_RESULT"} == set()
    assert {pair for pair in variables if pair[1] in servers} == set()


def test_rota_inside_a_job_is_not_led_astray_by_the_job_s_variables(rota: Shell) -> None:
    rota("run", "--", "echo", "hello")

    assert rota("logs", "last", ROTA_ATTEMPT="7", ROTA_JOB_ID="x", ROTA_RESULT="y").stdout == "hello\n"
