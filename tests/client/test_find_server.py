"""Where the SDK finds its server and token. Source: protocol.md, "The CLI finds its server and token in this order"."""

from pathlib import Path

import pytest

from rota.client import AsyncClient, NoServer, find_endpoint


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Variables that lead to a config file and a data folder, both filled."""
    (tmp_path / "config.toml").write_text(
        'profile = "work"\n[profiles.work]\nserver = "https://work.example/"\ntoken = "work-token"\n'
        '[profiles.bare]\nserver = "https://bare.example"\n'
    )
    (tmp_path / "server-url").write_text("http://127.0.0.1:7682\n")
    (tmp_path / "admin-token").write_text("local-token\n")
    return {"ROTA_CONFIG": str(tmp_path / "config.toml"), "ROTA_DATA": str(tmp_path)}


def test_the_order_is_argument_environment_profile_data_folder(places: dict[str, str], tmp_path: Path) -> None:
    environment = {**places, "ROTA_SERVER": "https://environment.example", "ROTA_TOKEN": "environment-token"}

    given = find_endpoint("https://argument.example", "argument-token", environ=environment)
    found = find_endpoint(environ=environment)
    stored = find_endpoint(environ=places)
    local = find_endpoint(environ={"ROTA_CONFIG": str(tmp_path / "none.toml"), "ROTA_DATA": str(tmp_path)})

    assert (given.server, given.token) == ("https://argument.example", "argument-token")
    assert (found.server, found.token) == ("https://environment.example", "environment-token")
    assert (stored.server, stored.token) == ("https://work.example", "work-token")
    assert (local.server, local.token) == ("http://127.0.0.1:7682", "local-token")


def test_a_stored_token_goes_to_the_server_stored_beside_it_and_nowhere_else(places: dict[str, str]) -> None:
    elsewhere = find_endpoint("https://elsewhere.example", environ=places)
    same = find_endpoint("http://127.0.0.1:7682/", environ=places)

    assert elsewhere.token is None
    assert same.token == "local-token"


def test_a_profile_is_chosen_by_name(places: dict[str, str]) -> None:
    bare = find_endpoint(profile="bare", environ=places)
    with pytest.raises(NoServer, match="no profile `home`"):
        find_endpoint(environ={**places, "ROTA_PROFILE": "home"})

    assert (bare.server, bare.token) == ("https://bare.example", None)


def test_nothing_found_says_what_to_do(tmp_path: Path) -> None:
    nowhere = {"ROTA_CONFIG": str(tmp_path / "none.toml"), "ROTA_DATA": str(tmp_path / "none")}
    with pytest.raises(NoServer, match="rota dev"):
        find_endpoint(environ=nowhere)


@pytest.mark.parametrize(
    "text",
    ["[profiles.default", '[profiles.default]\nsever = "x"\n', "[profiles.default]\nserver = 5\n"],
    ids=["no TOML", "an unknown key", "no text"],
)
def test_a_config_file_that_cannot_be_meant_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(NoServer, match=r"config\.toml"):
        find_endpoint(environ={"ROTA_CONFIG": str(tmp_path / "config.toml"), "ROTA_DATA": str(tmp_path)})


def test_a_token_does_not_cross_a_network_in_the_clear_unless_told() -> None:
    with pytest.raises(NoServer, match="not encrypted"):
        find_endpoint("http://rota.example", "token", environ={})

    assert find_endpoint("http://rota.example", "token", insecure=True, environ={}).token == "token"
    assert find_endpoint("http://rota.example", "token", environ={"ROTA_INSECURE": "1"}).token == "token"
    for loopback in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"):
        assert find_endpoint(loopback, "token", environ={}).token == "token"


@pytest.mark.parametrize(
    "address",
    [
        "rota.example", "ftp://rota.example", "http://", "https://user:word@rota.example", "http://[::1",
        "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://rota\n.example", "http://rota .example", "http://\udcff",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(NoServer):
        find_endpoint(address, environ={})


def test_a_profile_s_address_that_is_none_hinders_no_other(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[profiles.default]\nserver = "http://[::1"\ntoken = "t"\n')
    found = find_endpoint("http://127.0.0.1:1", environ={"ROTA_CONFIG": str(tmp_path / "config.toml")})

    assert found.token is None


@pytest.mark.parametrize("token", ["é", "a\nb", "a b", "\udcff", "a\x7f"])
def test_a_token_that_fits_in_no_header_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(NoServer, match=r"from argument.*one line of ASCII") as refusal:
        find_endpoint("http://127.0.0.1:1", token, environ={})

    assert token not in str(refusal.value)


async def test_a_name_that_no_server_can_have_is_refused() -> None:
    with pytest.raises(NoServer, match="not a server's address"):
        AsyncClient("https://xn--é.example", "t")
