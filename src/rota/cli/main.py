"""`rota`: finds the command, and imports it only then, so that `rota --help` is there at once."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

import rota
from rota.cli.command import JSON_HELP, ShortHelp, server_options, shared, talk_options, write_examples
from rota.cli.context import Settings
from rota.cli.door import check

SECTIONS: dict[str, dict[str, str]] = {
    "Start here": {
        "demo": "See in under a minute what Rota does.",
        "dev": "Run a server and a worker on this machine, until Ctrl-C.",
    },
    "Jobs": {
        "run": "Run a command on a worker, show its log, exit with its code.",
        "submit": "Submit a job and print its id.",
        "list": "List jobs, newest first.",
        "show": "Show a job: its state, attempts, result and artifacts.",
        "logs": "Print what a job has written.",
        "artifacts": "List the files that a job brought back, or fetch them.",
        "wait": "Wait until jobs have ended.",
        "cancel": "Stop jobs.",
        "retry": "Run an ended job once more.",
        "flow": "Draw the messages that a job really caused.",
        "top": "Show workers, running jobs and the queue, live.",
        "schedule": "Schedules: jobs at times of a calendar, or every so often.",
        "events": "Print what happened on a server, and what happens.",
    },
    "Machines": {
        "workers": "List workers, or drain one.",
        "env": "Environments: create them, issue and revoke their tokens.",
        "worker": "Run a worker on this machine.",
        "server": "Run a server.",
        "webhook": "Webhooks: URLs that are told of what happens, signed.",
        "doctor": "Tell what is out of the ordinary on a server, and mend it.",
        "backup": "Make a backup of a server while it works.",
        "restore": "Make a data folder of a backup.",
    },
    "This program": {
        "bench": "Measure what Rota does on this machine.",
        "completion": "Print the script that completes commands in a shell.",
    },
}
"""Every command and its sentence, said here so that the list needs none of them imported."""
SENTENCES = {name: words for section in SECTIONS.values() for name, words in section.items()}
ALIASES = {"ls": "list", "log": "logs", "environments": "env", "schedules": "schedule", "webhooks": "webhook"}
EXAMPLES = (
    "rota dev                                  # a server and a worker, here",
    "rota run -- echo hello                    # in another terminal",
    "rota run --input data.csv -- sort data.csv      # a job's folder holds its --inputs, and nothing else",
    "rota logs -f last",
)
INTERRUPTED = 130


class Commands(ShortHelp, click.Group):
    """Commands by name; the module `rota.cli.NAME` holds `command`, imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click calls it so)
        return list(SENTENCES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (click calls it so)
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in SENTENCES:
            return None
        command: click.Command = importlib.import_module(f"rota.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=list(SENTENCES), ctx=ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click calls it so)
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()), col_spacing=4)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click calls it so)
        write_examples(formatter, EXAMPLES)


cli = Commands(
    name="rota",
    help=(
        "Run jobs on machines that nobody can reach from outside.\n\nWorkers come to the server and ask for jobs; "
        "nothing must be opened to them. `rota COMMAND --help` says more about each command."
    ),
    params=[*server_options(), shared("--json", "as_json", JSON_HELP, is_flag=True), *talk_options()],
    context_settings={"max_content_width": 100},
    no_args_is_help=True,
)
cli.params.append(
    click.Option(
        ["--version", "-V"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, _param, value: say_version(ctx) if value else None,
        help="Print the version and exit.",
    )
)


def say_version(ctx: click.Context) -> NoReturn:
    """`rota 0.1.0`."""
    click.echo(f"rota {rota.__version__}")
    ctx.exit()


def main() -> NoReturn:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit code. A user's error never shows a traceback."""
    settings = Settings()
    try:
        check(arguments, os.environ)
        answer = cli.main(args=list(arguments), prog_name="rota", standalone_mode=False, obj=settings)
    except (KeyboardInterrupt, click.Abort):
        click.echo("rota: interrupted", err=True)
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as nothing_said:  # the help, as it is
        nothing_said.show()
        return nothing_said.exit_code
    except Exception as error:
        from rota.cli.complaints import complain  # noqa: PLC0415  (start-up time)

        code = complain(error, settings)
        if code is None:
            raise
        if settings.debugs:
            traceback.print_exc()
        return code
    return answer if isinstance(answer, int) else 0
