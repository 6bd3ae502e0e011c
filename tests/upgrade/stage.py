"""The three services, each a process of its own, that a conversation is held with; stopped and started on the way."""

from pathlib import Path

from house import Server, free_port


class Stage:
    """`seen_as` is where workers are told that gateway and registry are."""

    def __init__(self, folder: Path, seen_as: dict[str, str]) -> None:
        data = folder / "data"  # one folder, so that they share the service token
        jobs_port, registry_port = free_port(), free_port()
        registry_url, jobs_url = f"http://127.0.0.1:{registry_port}", f"http://127.0.0.1:{jobs_port}"
        self.servers = {"jobs": Server(data, ("jobs", "scheduler"), jobs_port, ROTA_REGISTRY_URL=registry_url)}
        self.servers["gateway"] = Server(data, ("gateway",), ROTA_JOBS_URL=jobs_url)
        self.servers["registry"] = Server(
            data, ("registry",), registry_port, ROTA_JOBS_URL=jobs_url, ROTA_GATEWAY_URL=seen_as["gateway"],
            ROTA_REGISTRY_URL=seen_as["registry"],
        )  # fmt: skip

    @property
    def admin_token(self) -> str:
        """The administrator's."""
        return self.servers["jobs"].admin_token

    def url(self, service: str) -> str:
        """Where it really is."""
        return self.servers[service].url

    def do(self, what: str, service: str) -> None:
        """Stop or start it."""
        if what == "stop":
            self.servers[service].stop()
        else:
            self.servers[service].start()

    def close(self) -> None:
        """All of them."""
        for server in self.servers.values():
            server.stop()
