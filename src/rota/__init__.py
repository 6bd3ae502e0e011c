"""Rota: jobs on machines that nobody can reach from outside."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rota.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (a module's attribute may be anything)
    """Bring in the SDK when it is first asked for, so that `rota --help` need not wait for an HTTP library."""
    if name not in {"Client", "AsyncClient"}:
        raise AttributeError(f"module 'rota' has no attribute {name!r}")
    import rota.client  # noqa: PLC0415  (start-up time)

    return getattr(rota.client, name)
