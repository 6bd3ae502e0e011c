"""--data and --blobs of commands that look at a server's folder themselves, while no server runs on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rota.cli.command import option

F = TypeVar("F", bound=Callable[..., Any])


def own_folder_options(what: str) -> Callable[[F], F]:
    """Adds --data DIR and --blobs URL; `what` says what --data does."""

    def add(function: F) -> F:
        folder = click.Path(exists=True, file_okay=False, path_type=Path)
        data_help, blobs_help = f"{what}; no server may run on it.", "With --data: where its logs and artifacts are."
        asked, beside = "ask the server", "in --data"
        data = option(
            "--data", metavar="DIR", envvar=None, type=folder, help=data_help, show_default=asked, is_eager=True
        )
        blobs = option(
            "--blobs", metavar="URL", envvar=None, help=blobs_help, show_default=beside, callback=_goes_with_data
        )
        return data(blobs(function))

    return add


def _goes_with_data(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and ctx.params.get("data") is None:
        raise click.UsageError("--blobs goes with --data: the server knows where its own are.", ctx)
    return value
