"""Who may call what, for every route of /openapi.json; forged credentials. Source: protocol.md; threats.md, T20."""

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from house import PLAIN, HandWorker, Json, Server
from participants.place import Place, refused

OPEN = {("get", "/livez"), ("get", "/readyz"), ("get", "/openapi.json"), ("get", "/.well-known/jwks.json")}
ENROL = ("post", "/registry/v1/workers")
READS = {"view", "submit", "admin", "administrator"}
WRITES = {"submit", "admin", "administrator"}
RULES = {"admin", "administrator"}
Route = tuple[str, str]


def allowed(route: Route) -> set[str]:
    """The kinds that may call it, by the protocol's page."""
    method, path = route
    if path == "/api/v1/environments" and method == "post":
        return {"administrator"}
    for beginning, kinds in (
        ("/internal/", {"service"}),
        ("/gateway/", {"worker"}),
        ("/registry/v1/status", {"worker"}),
        ("/registry/v1/workers/renew", {"worker"}),
        ("/registry/v1/acknowledgements", {"service"}),
        ("/registry/", (READS if method == "get" else RULES) | {"service"}),
        ("/metrics", READS | {"service"}),
        ("/api/v1/environments/{name}/", RULES),
        ("/api/v1/doctor", {"administrator"}),
        ("/api/v1/backups", {"administrator"}),
        ("/api/v1/jobs", READS if method == "get" else WRITES),
        ("/api/v1/schedules", READS if method == "get" else WRITES),
        ("/api/v1/webhooks", RULES),
        ("/api/", READS if method == "get" else RULES),
    ):
        if path.startswith(beginning):
            return kinds
    raise AssertionError(f"who may call {method} {path}?")


@pytest.fixture(scope="module")
def callers(server: Server, admin: httpx2.Client) -> Iterator[dict[str, httpx2.Client]]:
    """A client of each kind, all of one environment; the last two of everywhere."""
    with Place(server, admin) as place:
        made = {kind: place.client(kind) for kind in ("enrolment", "submit", "view", "admin")}
        made["worker"] = place.worker().http
        service = (server.data / "service-token").read_text().strip()
        with server.client(service) as services, server.client() as administrator:
            yield made | {"service": services, "administrator": administrator}


def routes(client: httpx2.Client) -> list[Route]:
    paths: dict[str, Json] = client.get("/openapi.json").json()["paths"]
    return [(method, path) for path, methods in paths.items() for method in methods]


def call(client: httpx2.Client, route: Route) -> httpx2.Response:
    """The route, with names in its path that nobody has."""
    method, path = route
    in_one_piece = {"Accept": "application/json"}  # events would be a stream that does not end
    return client.request(method.upper(), re.sub(r"\{\w+\}", "nothing", path), headers=in_one_piece)


def test_each_kind_may_call_what_the_page_says_and_nothing_else(callers: dict[str, httpx2.Client]) -> None:
    found = routes(callers["administrator"])
    assert len(found) > 40
    for route in found:
        for kind, client in callers.items():
            answer = call(client, route)
            if route in OPEN:
                assert answer.status_code == 200, (kind, route)
            elif route == ENROL:
                assert answer.status_code in ({400} if kind == "enrolment" else {400, 403}), (kind, route, answer.text)
            elif kind in allowed(route):
                assert answer.status_code not in {401, 403, 405, 500, 501}, (kind, route, answer.text)
            elif route[0] == "head":
                assert answer.status_code == 403, (kind, route)
            else:
                refused(answer, 403, "forbidden")


def test_nothing_is_open_without_a_credential_but_what_the_page_names(server: Server, admin: httpx2.Client) -> None:
    with httpx2.Client(base_url=server.url, verify=PLAIN) as nobody:
        for route in routes(admin):
            answer = call(nobody, route)
            if route in OPEN:
                assert answer.status_code == 200, route
            else:
                assert answer.status_code == 401, route
                assert answer.headers["www-authenticate"]


def test_every_endpoint_of_the_page_is_described(admin: httpx2.Client) -> None:
    attempts = "/gateway/v1/attempts/{attempt_id}"
    job, environment = "/api/v1/jobs/{job_id}", "/api/v1/environments/{name}"
    page = {
        "post /registry/v1/workers", "post /registry/v1/workers/renew", "post /registry/v1/status",
        "post /gateway/v1/get-job", "post /gateway/v1/refuse-job", "post /gateway/v1/job-finished",
        "post /gateway/v1/heartbeat", f"patch {attempts}/log", f"head {attempts}/log",
        f"patch {attempts}/artifacts/{{path}}", f"head {attempts}/artifacts/{{path}}",
        f"get {attempts}/inputs/{{path}}",
        "post /api/v1/jobs", "get /api/v1/jobs", f"get {job}", f"get {job}/log", f"get {job}/artifacts",
        f"get {job}/artifacts/{{path}}", f"get {job}/artifacts.tar.gz", f"get {job}/flow", f"post {job}/cancel",
        f"post {job}/retry", "get /api/v1/workers", "get /api/v1/workers/{worker_id}",
        "post /api/v1/workers/{worker_id}/drain", "post /api/v1/environments", "get /api/v1/environments",
        f"get {environment}", f"post {environment}/credentials", f"get {environment}/credentials",
        f"delete {environment}/credentials/{{credential_id}}", f"put {environment}/secrets/{{key}}",
        f"get {environment}/secrets", "get /livez", "get /readyz", "get /metrics", "get /openapi.json",
        "get /.well-known/jwks.json",
    }  # fmt: skip

    assert page - {f"{method} {path}" for method, path in routes(admin)} == set()


# What follows forges a worker's credential, each in one way.

Forge = Callable[[Json, Json, OKPKey, Json], str]


def part(content: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def signed(header: Json, claims: Json, key: OKPKey) -> str:
    return jwt.encode(header, claims, key, algorithms=["Ed25519", "EdDSA"])


def with_hs256(header: Json, claims: Json, secret: bytes) -> str:
    text = f"{part(header | {'alg': 'HS256'})}.{part(claims)}"
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def claiming(**changed: object) -> Forge:
    return lambda header, claims, key, _public: signed(header, claims | changed, key)


def without(claim: str) -> Forge:
    return lambda header, claims, key, _public: signed(
        header, {name: value for name, value in claims.items() if name != claim}, key
    )


def headed(**changed: object) -> Forge:
    """Signed by a key of the forger's own."""
    return lambda header, claims, _key, _public: signed(header | changed, claims, OKPKey.generate_key("Ed25519"))


def with_own_key(header: Json, claims: Json, _key: OKPKey, _public: Json) -> str:
    own = OKPKey.generate_key("Ed25519")
    return signed(header | {"jwk": own.as_dict(private=False)}, claims, own)


def with_other_claims(token: str, claims: Json) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part(claims | {'exp': claims['exp'] + 1})}.{signature}"


FORGED: dict[str, Forge] = {
    "alg none": lambda header, claims, _key, _public: f"{part(header | {'alg': 'none'})}.{part(claims)}.",
    "alg None": lambda header, claims, _key, _public: f"{part(header | {'alg': 'None'})}.{part(claims)}.",
    "HS256 with the public key's bytes": lambda header, claims, _key, public: with_hs256(
        header, claims, base64.urlsafe_b64decode(public["x"] + "==")
    ),
    "HS256 with the public key's text": lambda header, claims, _key, public: with_hs256(
        header, claims, json.dumps(public).encode()
    ),
    "HS256 with nothing": lambda header, claims, _key, _public: with_hs256(header, claims, b""),
    "another key": headed(),
    "another key, no kid": lambda header, claims, _key, _public: signed(
        {"alg": header["alg"]}, claims, OKPKey.generate_key("Ed25519")
    ),
    "another key, kid a path": headed(kid="../../../../dev/null"),
    "another key, kid SQL": headed(kid="x' UNION SELECT 'AA==' --"),
    "its own key in the header": with_own_key,
    "signature cut off": lambda header, claims, key, _public: signed(header, claims, key).rpartition(".")[0] + ".",
    "claims changed": lambda header, claims, key, _public: with_other_claims(signed(header, claims, key), claims),
    "wrong audience": claiming(aud="rota-people"),
    "wrong issuer": claiming(iss="somebody"),
    "expired": claiming(exp=int(time.time()) - 3600),
    "good from a text on": claiming(nbf="yesterday"),
    "issued at a text": claiming(iat="yesterday"),
    "no moment of issue": without("iat"),
    "expiry a text": claiming(exp="tomorrow"),
    "no expiry": without("exp"),
    "no audience": without("aud"),
    "no issuer": without("iss"),
    "no subject": without("sub"),
    "no id": without("jti"),
    "no facts": without("worker"),
    "another subject": claiming(sub="01a209c7-2a4a-778f-be04-0e938b7a7b88"),
    "a credential nobody has": claiming(jti="01a209c7-2a4a-778f-be04-0e938b7a7b88"),
    "no facts but nonsense": claiming(worker={"worker_id": 5}),
}  # fmt: skip


@pytest.fixture(scope="module")
def genuine(server: Server, admin: httpx2.Client) -> tuple[Json, Json, OKPKey, Json]:
    """Header and claims of a worker's token, the server's private key, and its public half."""
    with Place(server, admin) as place:
        token: str = place.worker().enrolled["credential"]["token"]
    head, body, _ = (base64.urlsafe_b64decode(text + "==") for text in token.split("."))
    with sqlite3.connect(f"file:{server.data / 'rota.db'}?mode=ro", uri=True) as database:
        [(private,)] = database.execute("SELECT private FROM signing_key").fetchall()
    database.close()
    [public] = admin.get("/.well-known/jwks.json").json()["keys"]
    assert "d" not in public
    return json.loads(head), json.loads(body), OKPKey.import_key(json.loads(private)), public


def status_of(server: Server, authorization: str) -> httpx2.Response:
    with httpx2.Client(base_url=server.url, verify=PLAIN) as client:
        return client.post(
            "/gateway/v1/heartbeat", json={"attempts": []}, headers={b"Authorization": authorization.encode()}
        )


def test_the_way_to_forge_makes_good_tokens_where_nothing_is_changed(
    server: Server, genuine: tuple[Json, Json, OKPKey, Json]
) -> None:
    header, claims, key, _ = genuine

    assert header["alg"] == "Ed25519"
    assert status_of(server, f"Bearer {signed(header, claims, key)}").status_code == 200


@pytest.mark.parametrize("ahead_s", [3600, 365 * 24 * 3600])
def test_a_token_of_before_the_clock_was_set_back_is_as_good_as_it_was(
    server: Server, genuine: tuple[Json, Json, OKPKey, Json], ahead_s: int
) -> None:
    """Only the server's own key makes them, so that `iat` and `nbf` protect from nobody. Source: guarantees.md, F49."""
    header, claims, key, _ = genuine
    of_before = {name: claims[name] + ahead_s for name in ("iat", "nbf", "exp")}

    assert status_of(server, f"Bearer {signed(header, claims | of_before, key)}").status_code == 200


@pytest.mark.parametrize("way", FORGED)
def test_a_forged_token_is_401_in_the_same_words(
    server: Server, genuine: tuple[Json, Json, OKPKey, Json], way: str
) -> None:
    problem = refused(status_of(server, f"Bearer {FORGED[way](*genuine)}"), 401, "unauthenticated")

    assert problem == refused(status_of(server, "Bearer nonsense"), 401, "unauthenticated")


@pytest.mark.parametrize(
    "authorization",
    [
        "", "Bearer", "Bearer a b", "Digest x", "Bearer " + "a" * 20_000, "Bearer é", "Bearer a.b.c", "Bearer ..",
        "bearer rota_" + "0" * 32 + "_" + "A" * 43, "Basic", "Basic " + "A" * 20_000,
    ],
)  # fmt: skip
def test_what_is_no_credential_is_401(server: Server, authorization: str) -> None:
    refused(status_of(server, authorization), 401, "unauthenticated")


def test_a_persons_token_is_no_workers_and_the_reverse(server: Server, place: Place, worker: HandWorker) -> None:
    refused(status_of(server, f"Bearer {server.admin_token}"), 403, "forbidden")
    refused(worker.http.get("/api/v1/jobs"), 403, "forbidden")
    refused(worker.http.post("/api/v1/jobs", json={"command": ["true"]}), 403, "forbidden")
    assert place.admin.get("/api/v1/jobs", params={"environment": place.name}).json()["jobs"] == []


def test_a_token_with_another_secret_is_401(server: Server) -> None:
    token = server.admin_token
    other = token[:-1] + ("A" if token[-1] != "A" else "B")

    refused(status_of(server, f"Bearer {other}"), 401, "unauthenticated")
