"""`--require`, `--prefer` and the amounts, as people write them. Source: protocol.md, "Command lines"; interface.md."""

import json
from typing import Any

import click
import pytest

from cli.conftest import Shell
from rota.cli.placement_options import resources, wants
from rota.cli.repeated import repeated
from rota.cli.run import command as run


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("gpu=a100", {"gpu": "a100"}),
        ("gpu=", {"gpu": ""}),
        ("url=http://x?a=b", {"url": "http://x?a=b"}),
        ("a=b>=c", {"a": "b>=c"}),
        ("a key= as it is ", {"a key": " as it is "}),
        ("cuda>=12.2", {"cuda": {"ge": "12.2"}}),
        ("cuda >= 12.2", {"cuda": {"ge": "12.2"}}),
        ("cuda<13", {"cuda": {"lt": "13"}}),
        ("cuda<=13", {"cuda": {"le": "13"}}),
        ("cuda>11", {"cuda": {"gt": "11"}}),
        ("cuda==12.2", {"cuda": {"eq": "12.2"}}),
        ("site!=lab", {"site": {"not_in": ["lab"]}}),
        ("gpu in a100, h100", {"gpu": {"in": ["a100", "h100"]}}),
        ("gpu not in a100,h100", {"gpu": {"not_in": ["a100", "h100"]}}),
        ("gpu exists", {"gpu": {"exists": True}}),
        ("gpu absent", {"gpu": {"exists": False}}),
    ],
)
def test_a_condition_is_read_as_it_is_written(given: str, meant: dict[str, Any]) -> None:
    assert wants("--require", [given]) == meant


def test_several_conditions_on_one_label_hold_together() -> None:
    given = ["cuda>=12", "cuda<13", "cuda!=12.3", "cuda!=12.4", "gpu=a100", "cuda exists"]

    cuda = {"ge": "12", "lt": "13", "not_in": ["12.3", "12.4"], "exists": True}
    assert wants("--require", given) == {"cuda": cuda, "gpu": "a100"}


@pytest.mark.parametrize(
    "given",
    [
        ["nonsense"],
        ["=x"],
        [">=1"],
        ["cuda>="],
        ["cuda=>12"],
        ["cuda~=12"],
        ["cuda===12"],
        ["cuda>>12"],
        ["cuda>=new"],
        ["gpu in"],
        ["gpu in a,,b"],
        ["cuda>=12", "cuda>=13"],
        ["cuda>=12", "cuda=12.2"],
        ["cuda=12.2", "cuda>=12"],
        ["gpu exists", "gpu absent"],
        [""],
    ],
    ids=str,
)
def test_what_cannot_be_meant_says_what_to_write(given: list[str]) -> None:
    with pytest.raises(click.UsageError) as told:
        wants("--require", given)

    assert str(told.value).startswith("--require: ")
    assert given[-1] in str(told.value) or "cuda" in str(told.value)


def test_amounts_are_numbers_and_sizes() -> None:
    named = {"cpus": 1.5, "memory_bytes": None, "gpus": None, "disk_bytes": 10**9}

    found = resources(named, "--resource", ["memory_bytes=4GiB", "licences=2", "cpus=1.5"], is_asked=True)

    assert found == {"cpus": 1.5, "disk_bytes": 10**9, "memory_bytes": 2**32, "licences": 2}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["licences"], "NAME=AMOUNT"),
        (["licences=many"], "NAME=AMOUNT"),
        (["licences=-1"], "NAME=AMOUNT"),
        (["licences=nan"], "NAME=AMOUNT"),
        (["=1"], "NAME=AMOUNT"),
        (["memory_bytes=4Gibberish"], "4GiB"),
        (["mem=1"], "`memory_bytes`"),
        (["cpus=0"], "more than 0"),
        (["cpus=2", "cpus=3"], "twice"),
        (["a b=1"], "letter"),
    ],
)
def test_an_amount_that_is_none_says_what_to_write(given: list[str], word: str) -> None:
    with pytest.raises(click.UsageError, match=r"^--resource: ") as told:
        resources({}, "--resource", given, is_asked=True)

    assert word in str(told.value)


def test_several_conditions_behind_one_option() -> None:
    words = ["--require", "a=1", "cuda>=12", "site!=lab", "n<3", "--", "x>y"]

    assert repeated(words, run.params) == [
        "--require", "a=1", "--require", "cuda>=12", "--require", "site!=lab", "--require", "n<3", "--", "x>y"
    ]  # fmt: skip


def test_a_spec_is_what_the_options_say(rota: Shell) -> None:
    done = rota(
        "submit", "--json", "--require", "cuda>=12.2", "--require", "gpu=a100", "--require", "site!=lab",
        "--prefer", "cache=warm", "--cpus", "1.5", "--mem", "4GiB", "--gpus", "1", "--disk", "10G",
        "--resource", "licences=2", "--", "true",
    )  # fmt: skip

    spec = json.loads(done.stdout)["spec"]
    assert spec["requires"] == {"cuda": {"ge": "12.2"}, "gpu": "a100", "site": {"not_in": ["lab"]}}
    assert spec["prefers"] == {"cache": "warm"}
    assert spec["resources"] == {
        "cpus": 1.5, "memory_bytes": 2**32, "gpus": 1, "disk_bytes": 10**10, "licences": 2
    }  # fmt: skip
    rota("cancel", "last")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--cpus", "0"], "--cpus: it must be more than 0"),
        (["--cpus", "two"], "`two` is no number"),
        (["--cpus", "nan"], "`nan` is no number"),
        (["--cpus", "-1"], "-1"),
        (["--mem", "lots"], "4GiB"),
        (["--gpus", "0.5"], "--gpus: it is a whole number"),
        (["--cpus", "2", "--resource", "cpus=3"], "twice"),
        (["--require", "cuda=>12"], "'cuda>=12.2'"),
    ],
)
def test_a_wrong_amount_is_2_and_says_what_to_write(rota: Shell, options: list[str], word: str) -> None:
    done = rota("run", *options, "--", "true")

    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_workers_show_what_they_offer(rota: Shell) -> None:
    [worker, *_] = rota.json("workers")["workers"]

    assert worker["resources"]["cpus"] > 0
    assert worker["resources"]["memory_bytes"] > 0
    table = rota("workers").stdout
    assert "RESOURCES" in table
    assert f"cpus={worker['resources']['cpus']:g} memory=" in table


def test_a_job_runs_where_there_is_room_for_it(rota: Shell) -> None:
    done = rota("run", "--cpus", "1", "--mem", "1M", "--", "echo", "there")

    assert (done.returncode, done.stdout) == (0, "there\n"), done.stderr
