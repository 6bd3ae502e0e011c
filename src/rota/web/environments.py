"""/environments: the places where workers run; make one, and have the line that starts a worker there."""

import shlex

from starlette.responses import Response
from starlette.routing import Route

from rota.protocol.environment import CreatedCredential, CredentialList, Environment, EnvironmentList
from rota.protocol.problems import InvalidRequest
from rota.web.pages import Pages, Visit, redirect
from rota.web.session import Form, is_behind_tls

ENROLMENT_S = 3600
"""How long a line that was pasted from a page may be used, once."""


class Environments:
    """The pages."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        """What is served."""
        one, pages = "/environments/{name}", self._pages
        return [
            pages.both("/environments", self.list, self.create),
            pages.get(one, self.environment),
            pages.post(f"{one}/enrolment", self.enrol),
            pages.post(f"{one}/credentials/{{credential_id}}/revoke", self.revoke),
        ]

    async def list(self, visit: Visit) -> Response:
        found = await visit.api.get("/api/v1/environments", EnvironmentList)
        return visit.page("environments.html", environments=found.environments, wrong=None, given={})

    async def create(self, visit: Visit, form: Form) -> Response:
        given = {name: values[0].strip() for name, values in form.items()}
        body = {"name": given.get("name", ""), "worker_auth": given.get("worker_auth", "jwt")}
        if given.get("description"):
            body["description"] = given["description"]
        try:
            made = await visit.api.post("/api/v1/environments", Environment, body)
        except InvalidRequest as problem:
            found = await visit.api.get("/api/v1/environments", EnvironmentList)
            return visit.page(
                "environments.html", 422, environments=found.environments, wrong=problem.detail, given=given
            )
        return redirect(f"/environments/{made.name}")

    async def environment(self, visit: Visit) -> Response:
        return await self._show(visit, None)

    async def enrol(self, visit: Visit, _form: Form) -> Response:
        """A line to paste where a worker is to run. Its token is shown this once."""
        body = {"kind": "enrolment", "expires_in_s": ENROLMENT_S, "uses": 1, "note": "made on a page"}
        path = f"/api/v1/environments/{visit.part('name')}/credentials"
        made = await visit.api.post(path, CreatedCredential, body)
        scheme = "https" if is_behind_tls(visit.request) else "http"
        server = f"{scheme}://{visit.request.headers.get('host', '')}"
        return await self._show(visit, shlex.join(["rota", "worker", "--server", server, "--token", made.token]))

    async def revoke(self, visit: Visit, _form: Form) -> Response:
        name = visit.part("name")
        await visit.api.delete(f"/api/v1/environments/{name}/credentials/{visit.part('credential_id')}")
        return redirect(f"/environments/{name}")

    async def _show(self, visit: Visit, paste: str | None) -> Response:
        path = f"/api/v1/environments/{visit.part('name')}"
        environment = await visit.api.get(path, Environment)
        is_ours = visit.caller.kind == "admin"
        credentials = (await visit.api.get(f"{path}/credentials", CredentialList)).credentials if is_ours else []
        return visit.page(
            "environment.html", environment=environment, credentials=credentials, paste=paste,
            valid_min=ENROLMENT_S // 60,
        )  # fmt: skip
