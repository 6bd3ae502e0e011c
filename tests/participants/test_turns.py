"""Who is first, as people who share a server see it. Source: how-to/who-is-first.md; decision 17."""

from collections import Counter

import httpx2
import pytest

from house import HandWorker, Json
from participants.place import Place, refused

ENVIRONMENTS = "/api/v1/environments"


def tokens_of(place: Place, *tenants: str | None) -> list[httpx2.Client]:
    """A client for each, with a submit token of that tenant."""
    return [place.client("submit", **({} if tenant is None else {"tenant": tenant})) for tenant in tenants]


def submit(client: httpx2.Client, count: int, **spec: object) -> list[str]:
    """Jobs of one request."""
    answer = client.post("/api/v1/jobs", json={"jobs": [{"command": ["true"], **spec}] * count})
    assert answer.status_code == 201, answer.text
    return [job["id"] for job in answer.json()["jobs"]]


def whose(place: Place, offers: list[Json]) -> Counter[str]:
    """How many of the offers each submitter has."""
    return Counter(place.job(offer["job_id"])["submitted_by"] for offer in offers)


def test_one_job_of_another_comes_next_after_a_hundred_thousand_of_somebody(place: Place, worker: HandWorker) -> None:
    many, one = tokens_of(place, None, None)
    first, *_ = [job for _ in range(10) for job in submit(many, 10_000)]
    [running] = worker.get_job()
    assert running["job_id"] == first

    [theirs] = submit(one, 1)

    [following] = worker.get_job()
    assert following["job_id"] == theirs


def test_tenants_get_what_their_environment_says(place: Place, worker: HandWorker) -> None:
    physics, biology, nobodys = tokens_of(place, "physics", "biology", None)
    changed = place.admin.patch(f"{ENVIRONMENTS}/{place.name}", json={"shares": {"physics": 3}})
    assert changed.json()["shares"] == {"physics": 3}
    for client in (physics, biology, nobodys):
        submit(client, 50)

    counts = sorted(whose(place, worker.get_job(slots=50)).values())

    assert counts == [10, 10, 30]


def test_two_tokens_of_one_tenant_get_no_more_than_one(place: Place, worker: HandWorker) -> None:
    one, other, alone = tokens_of(place, "physics", "physics", "biology")
    for _ in range(20):
        for client in (one, other, alone):
            submit(client, 1)
    [lonely] = {place.job(job)["submitted_by"] for job in submit(alone, 1)}

    counts = whose(place, worker.get_job(slots=30))

    assert 13 <= counts[lonely] <= 17


def test_a_higher_priority_goes_before_any_turn(place: Place, worker: HandWorker) -> None:
    one, other = tokens_of(place, None, None)
    urgent = submit(one, 3, priority=1)
    submit(other, 3)

    assert [offer["job_id"] for offer in worker.get_job(slots=3)] == urgent


def test_a_tenant_is_named_when_its_token_is_made_and_shown_with_it(place: Place) -> None:
    base = f"{ENVIRONMENTS}/{place.name}/credentials"

    assert place.admin.post(base, json={"kind": "submit", "tenant": "physics"}).status_code == 201

    [listed] = place.admin.get(base).json()["credentials"]
    assert (listed["kind"], listed["tenant"]) == ("submit", "physics")


@pytest.mark.parametrize("kind", ["enrolment", "view", "admin"])
def test_a_tenant_is_refused_for_a_token_that_is_not_made_to_submit(place: Place, kind: str) -> None:
    base = f"{ENVIRONMENTS}/{place.name}/credentials"

    refused(place.admin.post(base, json={"kind": kind, "tenant": "physics"}), 422, "invalid-request", "tenant")

    assert place.admin.get(base).json()["credentials"] == []


@pytest.mark.parametrize("tenant", ["", " ", "a b", "-", "a=b", "x" * 201, 7])
def test_a_tenants_name_that_nobody_could_type_is_refused(place: Place, tenant: object) -> None:
    base = f"{ENVIRONMENTS}/{place.name}/credentials"

    refused(place.admin.post(base, json={"kind": "submit", "tenant": tenant}), 422, "invalid-request", "tenant")


@pytest.mark.parametrize("shares", [{"physics": 0}, {"physics": -1}, {"physics": 1001}, {"physics": "3"}, {"": 1}, []])
def test_a_weight_that_cannot_be_kept_is_refused_and_changes_nothing(place: Place, shares: object) -> None:
    told = refused(place.admin.patch(f"{ENVIRONMENTS}/{place.name}", json={"shares": shares}), 422, "invalid-request")

    [error] = told["errors"]
    assert error["field"].startswith("shares")
    assert "regex" not in error["message"]
    assert place.admin.get(f"{ENVIRONMENTS}/{place.name}").json()["shares"] == {}


def test_an_environment_is_made_with_its_shares(place: Place) -> None:
    wanted = {"name": f"{place.name}-b", "worker_auth": "jwt", "shares": {"physics": 2.5, "biology@home": 1}}

    answer = place.admin.post(ENVIRONMENTS, json=wanted)

    assert (answer.status_code, answer.json()["shares"]) == (201, wanted["shares"])
