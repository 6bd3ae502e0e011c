"""The import contracts know every room. Source: CONTRIBUTING.md, "The house"."""

import configparser

from rules.sources import HERE

ROOMS = {"environments", "jobs", "registry", "gateway", "scheduler", "worker", "client", "web"}
WITHOUT_STORE = {"worker", "gateway", "client", "web"}


def _contract(name: str) -> configparser.SectionProxy:
    contracts = configparser.ConfigParser()
    contracts.read(HERE / ".importlinter")
    return contracts[f"importlinter:contract:{name}"]


def _modules(contract: str, option: str) -> set[str]:
    return {module.removeprefix("rota.") for module in _contract(contract)[option].split()}


built = {room for room in ROOMS if (HERE / "src" / "rota" / room / "__init__.py").exists()}


def test_every_room_that_is_built_is_independent_of_the_others() -> None:
    assert _modules("rooms", "modules") == built, "name it in .importlinter, contract `rooms`"


def test_every_room_has_no_store_or_is_handed_one() -> None:
    assert built - WITHOUT_STORE <= _modules("databases", "source_modules"), "name it in .importlinter, `databases`"
    assert built & WITHOUT_STORE <= _modules("protocol-only", "source_modules"), "name it in `protocol-only`"


def test_a_new_folder_must_be_given_a_floor() -> None:
    assert _contract("floors")["exhaustive"] == "True"
