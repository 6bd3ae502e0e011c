"""Options that take several values: `--only jobs scheduler` says the same as `--only jobs --only scheduler`.

protocol.md writes such options as `--label KEY=VALUE…`; both readings of it work.
"""

from collections.abc import Sequence

import click


def repeated(words: Sequence[str], params: Sequence[click.Parameter]) -> list[str]:
    """The words, with the option's name before each of its values.

    Where a command line has words of its own (`rota run … -- COMMAND`), only what is before `--` is read so: without
    `--` nobody can tell an option's second value from the command.
    """
    several = {
        spelling: option
        for option in params
        if isinstance(option, click.Option) and option.multiple
        for spelling in option.opts
    }
    has_words = any(isinstance(param, click.Argument) for param in params)
    end = words.index("--") if "--" in words else len(words)
    if has_words and end == len(words):
        return list(words)
    told: list[str] = []
    name = None
    for before, word in zip(["", *words], words[:end], strict=False):
        if word.startswith("-"):
            name = word if word in several else None
        elif name is not None and before != name and _is_value(word, several[name]):
            told.append(name)
        else:
            name = name if before == name else None
        told.append(word)
    return [*told, *words[end:]]


def _is_value(word: str, option: click.Option) -> bool:
    return any(sign in word for sign in "=<>") or not (option.metavar or "").startswith("KEY")
