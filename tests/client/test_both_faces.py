"""AsyncClient and Client are one SDK: the same methods with the same arguments."""

import inspect
from collections.abc import Callable

import pytest

import rota
from rota.client import AsyncClient, AsyncJob, AsyncSchedules, Client, Job, Schedules


def public(kind: type) -> dict[str, Callable[..., object]]:
    """Its public methods, by the name that both faces share; a client's constructor is one of them."""
    wanted = {"__init__"} if kind in {AsyncClient, Client} else set()
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {name: method for name, method in methods if not name.startswith("_") or name in wanted}


@pytest.mark.parametrize(("awaited", "blocking"), [(AsyncClient, Client), (AsyncJob, Job), (AsyncSchedules, Schedules)])
def test_both_faces_have_the_same_methods(awaited: type, blocking: type) -> None:
    assert public(awaited).keys() == public(blocking).keys()


@pytest.mark.parametrize(("awaited", "blocking"), [(AsyncClient, Client), (AsyncJob, Job), (AsyncSchedules, Schedules)])
def test_both_faces_take_the_same_arguments(awaited: type, blocking: type) -> None:
    mine, theirs = public(blocking), public(awaited)

    assert {name: str_of(mine[name]) for name in mine} == {name: str_of(theirs[name]) for name in theirs}


def str_of(function: Callable[..., object]) -> list[str]:
    return [str(parameter) for parameter in inspect.signature(function).parameters.values()]


def test_every_method_of_the_core_says_what_it_does() -> None:
    assert [name for kind in (AsyncClient, AsyncJob, AsyncSchedules) for name, method in public(kind).items()
            if name != "__init__" and not inspect.getdoc(method)] == []  # fmt: skip


def test_the_front_door_has_what_the_readme_promises() -> None:
    assert rota.Client is Client
    assert rota.AsyncClient is AsyncClient
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        rota.Clinet  # noqa: B018  (the access is what is tested)
