"""What every command has in common: options with their variable in the help, examples, the way to the server."""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from rota.cli.context import Settings
from rota.cli.repeated import repeated

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option whose help says `[env: ROTA_…]` and its default. `said_env` is a variable that others read."""

    def __init__(self, *arguments: Any, said_env: str | None = None, **attributes: Any) -> None:  # noqa: ANN401
        attributes.setdefault("show_envvar", True)
        attributes.setdefault("show_default", True)
        super().__init__(*arguments, **attributes)
        self.said_env = said_env

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None:
            return None
        spelling, words = record[0], re.sub(r"default: \((.*?)\)\]", r"default: \1]", record[1])
        words = words.replace("[env var: ", "[env: ")
        return spelling, f"{words}  [env: {self.said_env}]" if self.said_env else words


SET_IN_JOBS = frozenset({"ROTA_JOB_ID", "ROTA_ATTEMPT", "ROTA_RESULT"})
"""Variables that every job finds: inside a job they must not be taken for somebody's options."""


def option(*spellings: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401  (click's own attributes)
    """`@click.option` with `envvar` taken from the longest spelling: `--work-dir` is ROTA_WORK_DIR."""
    longest = max(spellings, key=len).split("/")[0]
    variable = "ROTA_" + longest.strip("-").replace("-", "_").upper()
    if not attributes.get("is_flag") and variable not in SET_IN_JOBS:
        attributes.setdefault("envvar", variable)
    return click.option(*spellings, cls=Option, **attributes)


def store(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Keeps the value in the context's settings, where it was given; the inner of two wins."""

    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        if value is not None and value is not False:
            setattr(ctx.ensure_object(Settings), name, value)
        return value

    return keep


def shared(spelling: str, name: str, help_text: str, **attributes: Any) -> Option:  # noqa: ANN401
    """An option that every command takes, before or after the command's name."""
    spellings = spelling.split("/")
    return Option(
        [*spellings, f"shared_{name}"], help=help_text, expose_value=False, callback=store(name), **attributes
    )


def talk_options() -> list[click.Parameter]:
    """How the command speaks."""
    colours = click.Choice(["auto", "always", "never"])
    return [
        shared("--color", "colour", "Colours on the terminal. NO_COLOR and FORCE_COLOR are obeyed.", type=colours,
               show_default="auto"),
        shared("--debug", "debug", "Show where an error came from.", is_flag=True, said_env="ROTA_DEBUG"),
    ]  # fmt: skip


def server_options() -> list[click.Parameter]:
    """Which server is asked, and how long."""
    from rota.cli.quantities import Duration  # noqa: PLC0415  (start-up time)

    return [
        shared("--server/-s", "server", "The server's address.", metavar="URL", said_env="ROTA_SERVER"),
        shared("--token", "token", "The token to show there; better in the variable, as others see command lines.",
               metavar="TOKEN", said_env="ROTA_TOKEN"),
        shared("--profile", "profile", "Server and token out of the config file's [profiles.NAME].", metavar="NAME",
               said_env="ROTA_PROFILE"),
        shared("--insecure", "insecure", "Send the token over http:// to another machine too.", is_flag=True,
               said_env="ROTA_INSECURE"),
        shared("--request-timeout", "request_timeout_s", "How long to go on trying to reach the server.",
               type=Duration(), show_default="5s", said_env="ROTA_REQUEST_TIMEOUT"),
    ]  # fmt: skip


JSON_HELP = "Print the API's JSON on stdout, and an error as a JSON problem on stderr."


class ShortHelp(click.Command):
    """`-h` as well as `--help`, whoever asks first: click keeps the help option as its first context wanted it."""

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click calls it so)
        return ["-h", "--help"]


class Command(ShortHelp):
    """A command of `rota`. `examples` are lines of a shell, with `# …` behind them where words help.

    `missing` is what to do where the server knows no such thing as was asked for; else it is taken for a job.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401  (click's own)
        examples: Sequence[str] = (),
        asks_server: bool = True,
        prints_json: bool = True,
        missing: str | None = None,
        **attributes: Any,  # noqa: ANN401  (click's own)
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.missing = missing
        self.examples = tuple(examples)
        if prints_json:
            self.params.append(shared("--json", "as_json", JSON_HELP, is_flag=True))
        if asks_server:
            self.params += server_options()
        self.params += talk_options()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, repeated(args, self.params))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (click's own)
        if self.missing is not None:
            ctx.ensure_object(Settings).missing = self.missing
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """The section at a help text's end."""
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class DefaultGroup(ShortHelp, click.Group):
    """A noun with verbs, of which one (`default`) is meant where none is named: `rota workers` lists them."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401  (click's own)
        default: str,
        examples: Sequence[str] = (),
        alone: bool = True,
        **attributes: Any,  # noqa: ANN401  (click's own)
    ) -> None:
        super().__init__(*arguments, **attributes)
        self.default, self.examples, self.alone = default, tuple(examples), alone

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not self.alone:
            args = ["--help"]
        elif not args or (args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx)):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  (click calls it so)
        write_examples(formatter, self.examples)
