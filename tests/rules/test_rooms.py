"""The import contracts know every room. Source: CONTRIBUTING.md, "The house"."""

import configparser

from rules.sources import HERE

ROOMS = {"environments", "jobs", "registry", "gateway", "scheduler", "worker", "client", "web"}


def _contract(name: str) -> configparser.SectionProxy:
    contracts = configparser.ConfigParser()
    contracts.read(HERE / ".importlinter")
    return contracts[f"importlinter:contract:{name}"]


def test_every_room_that_is_built_is_independent_of_the_others() -> None:
    built = {room for room in ROOMS if (HERE / "src" / "rota" / room / "__init__.py").exists()}
    named = {module.removeprefix("rota.") for module in _contract("rooms")["modules"].split()}

    assert named == built, "name it in .importlinter, contract `rooms`"


def test_a_new_folder_must_be_given_a_floor() -> None:
    assert _contract("floors")["exhaustive"] == "True"
