"""What is wrong with a request, in words for people: made of msgspec's sentence and of the message's own types."""

import functools
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from rota.protocol.problems import FieldError, InvalidRequest

_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_LIMIT = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (-?[0-9.e+]+)$")
_LENGTH = re.compile(r"Expected `(\w+)` of length (>=|<=) (\d+)")
_STEP = re.compile(r"\.([^.\[]+)|(\[)")
_WALK = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_LIMITS = {">=": "must be at least", "<=": "must be at most", ">": "must be more than", "<": "must be less than"}
_UNITS = {"str": "characters", "array": "entries", "object": "entries", "bytes": "bytes"}
_OF_KEY = "key` in `"
_HALF = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")

KEY = "[...]"
"""What msgspec writes for the key of a mapping."""

_type_info = functools.lru_cache(maxsize=256)(inspect.type_info)


def invalid(
    message: str,
    kind: Any,  # noqa: ANN401  (what msgspec decodes)
    later: Mapping[str, str],
    body: bytes = b"",
) -> InvalidRequest:
    """The problem: its field in the protocol's spelling (`attempts[0].result`), and what to send instead."""
    what, _, where = message.partition(" - at `")
    is_key = where.startswith(_OF_KEY)
    path = where.rstrip("`").removeprefix(_OF_KEY).removeprefix("$").removeprefix(".")
    named = _UNKNOWN.search(what) or _MISSING.search(what)
    if named is not None:
        path = f"{path}.{named[1]}" if path else named[1]
        leaf = named[1]
        if what.startswith("Object missing"):
            what = "is missing"
        elif leaf in later:
            what = later[leaf]
        else:
            what = _known_instead(kind, path) or "is not a field of this request; leave it out"
    else:
        what = _in_words(what, _type_at(kind, path, is_key=is_key)) + _meant(what, kind, path)
    field = _with_keys(path, kind, body) if KEY in path else path or "body"
    return InvalidRequest(f"{field}: {what}", [FieldError(field, what)])


def unparsable(error: Exception, body: bytes) -> str:
    """Why a body is no JSON. Half a surrogate pair reads as a cut body to the decoder."""
    if "truncated" in str(error) and _HALF.search(body):
        return "it holds half of a surrogate pair (\\ud800 to \\udfff), which is no character"
    return str(error)


def _in_words(what: str, wanted: inspect.Type | None) -> str:
    limit, length = _LIMIT.match(what), _LENGTH.match(what)
    if limit is not None:
        return f"{_LIMITS[limit[1]]} {float(limit[2]):.15g}"
    if length is not None:
        return f"{'needs at least' if length[2] == '>=' else 'has at most'} {length[3]} {_UNITS[length[1]]}"
    if what.startswith("Invalid enum value"):
        known = sorted(_values(wanted))
        value = what.removeprefix("Invalid enum value ").replace("'", "`")
        return f"{value} is none of: {', '.join(known)}" if known else what
    if "matching regex" in what:
        return _description(wanted) or what
    return what


def _type_at(kind: Any, path: str, *, is_key: bool) -> inspect.Type | None:  # noqa: ANN401  (as above)
    """The type of the field that `path` names, or of the keys in it."""
    found: inspect.Type | None = _type_info(kind)
    for step in _STEP.finditer("." + path if path and not path.startswith("[") else path):
        found = _plain(found)
        if isinstance(found, inspect.StructType) and step[1]:
            found = next((field.type for field in found.fields if field.encode_name == step[1]), None)
        elif isinstance(found, inspect.ListType):
            found = found.item_type
        elif isinstance(found, inspect.DictType):
            found = found.value_type
        else:
            return None
    plain = _plain(found)
    return plain.key_type if is_key and isinstance(plain, inspect.DictType) else found


def _plain(found: inspect.Type | None) -> inspect.Type | None:
    """Without what may be left out, and without its description; of several, the one that has fields."""
    if isinstance(found, inspect.Metadata):
        return _plain(found.type)
    if isinstance(found, inspect.UnionType):
        plain = [_plain(one) for one in found.types if not isinstance(one, inspect.NoneType)]
        return next((one for one in plain if isinstance(one, inspect.StructType)), plain[0] if plain else None)
    return found


def _with_keys(path: str, kind: Any, body: bytes) -> str:  # noqa: ANN401  (as above)
    """The path with the keys of its mappings: those of which the values do not fit."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # behind what does not fit, it is no JSON either
        return path
    named, left = "", path
    for step in _WALK.finditer(path):
        left = path[step.end() :]
        kind = next(_inside(kind, step[0]), None)
        if step[0] != KEY:
            named, value = named + step[0], value[int(step[2]) if step[2] else step[1]] if left else None
            continue
        key = next((key for key, one in value.items() if not _is_fit(one, kind)), None)
        if key is None:
            return named + left
        named, value = f"{named}.{key}", value[key]
    return named


def _known_instead(kind: Any, path: str) -> str | None:  # noqa: ANN401  (as above)
    """What may be said in a mapping's entry, where that is an object."""
    if KEY not in path:
        return None
    entry = _python_type_at(kind, path.rpartition(".")[0])
    known = next((one for one in _options(entry) if isinstance(one, msgspec.StructMeta)), None)
    return None if known is None else f"is not known here; there are: {', '.join(known.__struct_encode_fields__)}"


def _meant(what: str, kind: Any, path: str) -> str:  # noqa: ANN401  (as above)
    """What to write instead, where a mapping's entry is of another type and its own describes itself."""
    if KEY not in path or not what.startswith("Expected"):
        return ""
    described = getattr(_python_type_at(kind, path), "__metadata__", ())
    return next((f"; write {meta.description}" for meta in described if meta.description), "")


def _python_type_at(kind: Any, path: str) -> Any:  # noqa: ANN401  (as above)
    for step in _WALK.finditer(path):
        kind = next(_inside(kind, step[0]), None)
    return kind


def _inside(kind: Any, step: str) -> Iterator[Any]:  # noqa: ANN401  (as above)
    """The type of what a step leads to."""
    for one in _options(kind):
        if isinstance(one, msgspec.StructMeta) and not step.startswith("["):
            names = dict(zip(one.__struct_encode_fields__, one.__struct_fields__, strict=True))
            name = names.get(step.removeprefix("."))
            if name is not None:
                yield get_type_hints(one, include_extras=True)[name]
        elif step.startswith("[") and get_origin(one) in ({dict, Mapping} if step == KEY else {list}):
            yield get_args(one)[-1]


def _options(kind: Any) -> Iterator[Any]:  # noqa: ANN401  (as above)
    """What a type may be: the parts of a union, without descriptions."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _options(get_args(kind)[0])
    elif origin in {Union, types.UnionType}:
        for one in get_args(kind):
            yield from _options(one)
    else:
        yield kind


def _is_fit(value: Any, kind: Any) -> bool:  # noqa: ANN401  (as above)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _values(found: inspect.Type | None) -> list[str]:
    plain = _plain(found)
    if isinstance(plain, inspect.EnumType):
        return [str(member.value) for member in plain.cls]
    return [str(value) for value in plain.values] if isinstance(plain, inspect.LiteralType) else []


def _description(found: inspect.Type | None) -> str | None:
    if isinstance(found, inspect.UnionType):
        return next((words for words in map(_description, found.types) if words), None)
    if isinstance(found, inspect.Metadata):
        return (found.extra_json_schema or {}).get("description")
    return None
