"""/login and /logout: a token becomes a cookie."""

from starlette.responses import Response
from starlette.routing import Route

from rota.http.routes import PEOPLE
from rota.protocol.problems import Problem
from rota.web import session
from rota.web.pages import Pages, Recognise, Visit, redirect
from rota.web.session import Form


class Login:
    """The pages."""

    def __init__(self, pages: Pages, recognise: Recognise) -> None:
        self._pages, self._recognise = pages, recognise

    def routes(self) -> list[Route]:
        """Open to anybody who comes in; out goes who is in."""
        return [
            self._pages.both("/login", self.ask, self.enter, is_open=True),
            self._pages.post("/logout", self.leave),
        ]

    async def ask(self, visit: Visit) -> Response:
        return visit.page("login.html", to=_own(visit.request.query_params.get("to", "/")), wrong=None)

    async def enter(self, visit: Visit, form: Form) -> Response:
        token, to = form.get("token", [""])[0].strip(), _own(form.get("to", ["/"])[0])
        try:
            caller = await self._recognise(f"Bearer {token}")
        except Problem as problem:
            return visit.page("login.html", problem.status, to=to, wrong="This token is not known here, or is over.")
        if caller.kind not in PEOPLE:
            wrong = (
                f"This token is of the kind `{caller.kind}`: it is no person's. Use one to view, submit or administer."
            )
            return visit.page("login.html", 403, to=to, wrong=wrong)
        response = redirect(to)
        session.keep(response, visit.request, token)
        return response

    async def leave(self, visit: Visit, _form: Form) -> Response:
        response = redirect("/login")
        session.forget(response, visit.request)
        return response


def _own(to: str) -> str:
    """A path of ours; anything else leads to the front page: nobody is sent elsewhere by a link to us."""
    is_ours = to.startswith("/") and not to.startswith(("//", "/\\")) and "\n" not in to and "\r" not in to
    return to if is_ours else "/"
