"""Moments as people write and read them."""

import zoneinfo
from datetime import UTC, datetime, timedelta

import click

from rota.cli.quantities import read_duration
from rota.protocol.wire import parse_timestamp, timestamp


class Ahead(click.ParamType[str]):
    """A time (RFC 3339), or how long from now; as the wire has it."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        ahead_s = read_duration(str(value))
        try:
            at = parse_timestamp(str(value)) if ahead_s is None else datetime.now(UTC) + timedelta(seconds=ahead_s)
        except (ValueError, OverflowError):
            self.fail(f"`{value}` is no time (2026-11-23T12:00:00Z) and no duration (2h).", param, ctx)
        return timestamp(at)


def say_moment(text: str, timezone: str) -> str:
    """`2026-11-25 02:30 +01:00`: a moment as a clock of that zone shows it, with seconds where it has some."""
    at = parse_timestamp(text).astimezone(zone_of(timezone))
    shown = at.replace(tzinfo=None).isoformat(" ", "seconds").removesuffix(":00")
    return f"{shown} {at.isoformat()[-6:]}"


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone; UTC where this machine does not know it as the server does."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")
