"""Whether a present answer says all that an older one said, to somebody who knows no more than that."""

import json
import re
from typing import Any

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
OPAQUE = {"token", "password", "next_cursor"}
"""Texts that only come back as they were given."""
SOON = {"verdict"}
"""What the scheduler says a moment later: it may be there already, or not yet."""
WORDS = {"detail"}
"""Words for people that may change. Source: docs/reference/problems.md."""
SECONDS_APART = 5


class Differs(AssertionError):
    """What an older worker or program would not understand, and where."""


class Names:
    """Ids and tokens of the recording, and what they are called now."""

    def __init__(self, **known: str) -> None:
        self.now = dict(known)

    def put(self, value: Any) -> Any:  # noqa: ANN401  (any JSON)
        """All texts in it as they are called now."""
        if isinstance(value, dict):
            return {key: self.put(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.put(inner) for inner in value]
        if isinstance(value, str):
            for old, now in self.now.items():
                value = value.replace(old, now)
        return value

    def compare(self, old: Any, now: Any, at: str = "$", key: str = "") -> None:  # noqa: ANN401  (any JSON)
        """Raises Differs; learns new names on the way."""
        match old, now:
            case dict(), dict():
                self._objects(old, now, at)
            case list(), list():
                if len(old) != len(now):
                    raise Differs(f"{at}: {len(now)} entries in place of {len(old)}: {now}")
                for index, value in enumerate(old):
                    self.compare(value, now[index], f"{at}[{index}]", key)
            case str(), str():
                self._texts(old, now, at, key)
            case (float() | int(), float()) | (float(), int()) if abs(old - now) <= SECONDS_APART:
                pass
            case (None, str()) | (str(), None) if key in SOON:
                pass
            case _ if type(old) is not type(now) or old != now:
                raise Differs(f"{at}: {now!r} in place of {old!r}")

    def events(self, old: str, now: str) -> None:
        """Server-sent events, line by line; JSON in them as JSON."""
        lines, present = old.split("\n"), now.split("\n")
        if len(lines) != len(present):
            raise Differs(f"{len(present)} lines of events in place of {len(lines)}")
        for number, (line, here) in enumerate(zip(lines, present, strict=True)):
            if line.startswith("data: {") and here.startswith("data: {"):
                self.compare(json.loads(line[6:]), json.loads(here[6:]), f"line {number}")
            elif line != here:
                raise Differs(f"line {number}: {here!r} in place of {line!r}")

    def _objects(self, old: dict[str, Any], now: dict[str, Any], at: str) -> None:
        for name, value in old.items():
            if name not in now:
                raise Differs(f"{at}.{name} is missing")
            self.compare(value, now[name], f"{at}.{name}", name)

    def _texts(self, old: str, now: str, at: str, key: str) -> None:
        if key in WORDS or (MOMENT.match(old) and MOMENT.match(now)):
            return
        if key in OPAQUE or (UUID.match(old) and UUID.match(now)):
            if self.now.setdefault(old, now) != now:
                raise Differs(f"{at}: {now} is another than before ({self.now[old]})")
        elif self.put(old) != now:
            raise Differs(f"{at}: {now!r} in place of {self.put(old)!r}")
