"""`rota completion`: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from rota.cli.command import Command


@click.command(
    cls=Command,
    asks_server=False,
    prints_json=False,
    examples=(
        "rota completion bash >> ~/.bashrc",
        "rota completion zsh > ~/.zfunc/_rota",
        "rota completion fish > ~/.config/fish/completions/rota.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell.

    Put it where the shell reads it at its start; the examples show where that is.
    """
    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"No completion for `{shell}`.", ctx)
    click.echo(completer(ctx.find_root().command, {}, "rota", "_ROTA_COMPLETE").source())
