"""workers and env."""

from cli.conftest import SLOTS, Shell


def test_workers_are_listed_with_slots_and_labels(rota: Shell) -> None:
    table = rota("workers").stdout

    assert f"of {SLOTS}" in table
    assert "site=here" in table
    listed = rota.json("workers")["workers"]
    assert {worker["environment"] for worker in listed} >= {"default", "quick"}
    assert rota("workers", "-q").stdout.split() == [worker["worker_id"] for worker in listed]
    assert rota("workers", "drain", "no-such-worker").returncode == 3


def test_an_environment_is_made_shown_and_given_tokens_that_work_and_are_revoked(rota: Shell) -> None:
    made = rota("env", "create", "cellar", "--auth", "basic", "--label", "a=b", "--lease", "1m")
    token = rota("env", "token", "cellar", "--kind", "view", "--expires", "1h", "--note", "to look").stdout.strip()

    assert made.returncode == 0
    assert rota.json("env", "show", "cellar")["lease_s"] == 60
    assert "cellar" in rota("env").stdout
    assert rota("list", ROTA_TOKEN=token).returncode == 0
    assert rota("submit", "--", "true", ROTA_TOKEN=token).returncode == 4
    [credential] = rota.json("env", "credentials", "cellar")["credentials"]
    assert (credential["kind"], credential["note"]) == ("view", "to look")
    assert token not in str(credential)
    assert rota("env", "revoke", "cellar", credential["credential_id"]).returncode == 0
    assert rota("list", ROTA_TOKEN=token).returncode == 4
    assert rota("env", "create", "cellar").returncode == 125


def test_a_tenant_gets_the_share_that_was_said_and_its_token_bears_its_name(rota: Shell) -> None:
    assert rota("env", "create", "shared", "--share", "physics=3").returncode == 0
    assert rota("env", "token", "shared", "--kind", "submit", "--tenant", "physics").returncode == 0

    changed = rota("env", "share", "shared", "biology=0.5")

    assert changed.returncode == 0
    assert "biology=0.5 physics=3" in changed.stdout
    assert rota.json("env", "show", "shared")["shares"] == {"physics": 3, "biology": 0.5}
    assert "physics" in rota("env", "credentials", "shared").stdout
    assert rota("env", "share", "shared", "physics=much").returncode == 2
    assert rota("env", "share", "shared", "physics=0").returncode == 2
    assert rota("env", "token", "shared", "--kind", "view", "--tenant", "physics").returncode == 2
    assert rota("env", "share", "nowhere", "physics=1").returncode == 3
