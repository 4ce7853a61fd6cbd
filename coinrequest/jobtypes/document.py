"""Reading JSON and YAML documents from request bodies, and writing documents as YAML.

YAML is read by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), which has the types of JSON:
`on`, `yes` and dates are text. Aliases, tags and several documents in one body are refused.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import yaml

from coinrequest.errors import FieldError, FieldErrors
from coinrequest.jobtypes import yaml_hints
from coinrequest.jobtypes.errors import DocumentInvalid, DocumentTooLarge, MediaTypeUnsupported
from coinrequest.jobtypes.marked_numbers import MAX_DIGITS
from coinrequest.jobtypes.plain import MAX_DEPTH, plain_errors
from coinrequest.jobtypes.suggestions import quoted

MAX_DOCUMENT_BYTES = 64 * 1024
# How many times larger JSON is if all its text is escaped: six bytes for a letter of two.
ESCAPED = 3

JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml")

_CHARSETS = {"utf-8", "utf-16", "ascii", "iso8859-1"}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LINE_ENDS = re.compile("[\r\x85\u2028\u2029\ufeff]")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def load_document(body: bytes, content_type: str | None, limit: int = MAX_DOCUMENT_BYTES) -> dict[str, Any]:
    """Read a request body.

    Args:
        body: the bytes of the body.
        content_type: the header, JSON by default; it may name a charset other than UTF-8.
        limit: the largest size in bytes of UTF-8, in which an escape such as `\\u0416` counts as its character.

    Returns:
        The document as plain JSON values, with its fields in their order.

    Raises:
        DocumentTooLarge: the body is larger than `limit`.
        MediaTypeUnsupported: the content type is neither JSON nor YAML.
        DocumentInvalid: the body is not one object of plain values: it is malformed, has a field twice, contains NaN,
            infinity, a NUL character, an alias or a tag, or is nested too deep.
    """
    media_type, charset = _content_type(content_type)
    if len(body) > limit * (ESCAPED if media_type in JSON_TYPES else 1):
        raise DocumentTooLarge("the document", len(body), limit)
    try:
        text = body.decode(charset)
    except UnicodeError:
        raise _invalid(f"is not text in {charset.removesuffix('-sig').upper()}") from None
    if len(body) > limit and (size := _unescaped_size(text)) > limit:
        raise DocumentTooLarge("the document", size, limit)
    if not text.strip():
        raise _invalid("is empty; send an object with fields, at least {}")
    document = _load_json(text) if media_type in JSON_TYPES else _load_yaml(text)
    if not isinstance(document, dict):
        raise _invalid("must be one object with fields")
    if errors := plain_errors(document):
        raise DocumentInvalid(errors)
    return document


def yaml_text(body: bytes, content_type: str | None) -> str | None:
    """Return the text of a request body that `load_document` has read as YAML, unchanged; None: it was JSON."""
    media_type, charset = _content_type(content_type)
    if media_type in JSON_TYPES:
        return None
    return body.decode("utf-8" if charset == "utf-8-sig" else charset)


def dump_yaml(document: Mapping[str, object]) -> str:
    """Return a document as YAML, with its fields in their order; `load_document` reads it back unchanged."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return text


def _invalid(message: str, field: str = "") -> DocumentInvalid:
    return DocumentInvalid([FieldError(field, message)])


def _content_type(header: str | None) -> tuple[str, str]:
    media_type, *parameters = [part.strip() for part in (header or JSON_TYPES[0]).split(";")]
    media_type = media_type.lower()
    if media_type not in JSON_TYPES + YAML_TYPES:
        known = ", ".join(JSON_TYPES + YAML_TYPES)
        raise MediaTypeUnsupported(f"a document cannot be {quoted(media_type)}; send one of {known}")
    charset = "utf-8"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"')
    try:
        charset = codecs.lookup(charset).name
    except (LookupError, ValueError):
        charset = "unknown"
    if charset not in _CHARSETS:
        raise MediaTypeUnsupported("the document's charset is not supported; send UTF-8")
    return media_type, "utf-8-sig" if charset == "utf-8" else charset


def _unescaped_size(text: str) -> int:
    """Return the size of a JSON text in UTF-8, with the characters in place of their escapes."""
    size = len(text.encode())
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            # Half of a surrogate pair is half of a character of four bytes.
            code = int(escape[1], 16)
            size -= len(escape[0]) - (1 if code < 0x80 else 2 if code < 0x800 or 0xD800 <= code < 0xE000 else 3)
    return size


def _load_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_not_finite)
    except json.JSONDecodeError as error:
        raise _invalid(f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _invalid(f"is nested too deep; the limit is {MAX_DEPTH} levels") from None
    except FieldErrors:
        raise
    except ValueError:
        raise _invalid(f"contains a number with too many digits; the limit is {MAX_DIGITS:,}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _invalid(f"has the field {quoted(key)} twice in one object")
        found[key] = value
    return found


def _not_finite(constant: str) -> NoReturn:
    raise _invalid(f"contains {constant}, which is not a number in JSON")


def _load_yaml(text: str) -> Any:
    try:
        events = (event for event in yaml.parse(text, Loader=_LOADER))
        return _YamlReader(events, text).document()
    except yaml.MarkedYAMLError as error:
        raise _invalid(f"is not YAML: {_problem(text, error.problem_mark, str(error.problem))}") from None
    except yaml.YAMLError as error:
        raise _invalid(f"is not YAML: {str(error).splitlines()[0]}") from None


def _problem(text: str, mark: Any, problem: str) -> str:
    """Return what is wrong at a mark: what to write instead if that is clear, or else `problem`."""
    found = yaml_hints.remedy(text, mark.line, mark.column) if mark is not None else None
    return f"{problem}{_at(mark)}" if found is None else f"{found[0]} (line {mark.line + 1}, column {found[1] + 1})"


def _at(mark: Any) -> str:
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""


class _YamlReader:
    """Builds plain values from YAML's events; it refuses everything that JSON cannot express."""

    def __init__(self, events: Iterator[Any], text: str) -> None:
        self._events = events
        self._text = text

    def document(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _invalid(f"contains several documents; send one{_at(event.start_mark)}")
                value = self._value(next(self._events), 0)
        return value

    def _value(self, event: Any, depth: int) -> Any:
        where = _at(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _invalid(f"contains a YAML anchor or alias; write the value out, or quote it if it is text{where}")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, where)
        if event.tag is not None:
            raise _invalid(
                f"contains the YAML tag {quoted(event.tag)}; only plain values work; quote it if it is text{where}"
            )
        if depth >= MAX_DEPTH:
            raise _invalid(f"is nested too deep; the limit is {MAX_DEPTH} levels{where}")
        if isinstance(event, yaml.SequenceStartEvent):
            values = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                values.append(self._value(inner, depth + 1))
            return values
        return self._mapping(depth)

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            where = _at(event.start_mark)
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                raise _invalid(f"contains a YAML merge (<<); write its fields out, or quote it if it is text{where}")
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                problem = "the name of a field must be text; put it in quotes"
                raise _invalid(_problem(self._text, event.start_mark, problem))
            if key in found:
                raise _invalid(f"has the field {quoted(key)} twice in one object{where}")
            found[key] = self._value(next(self._events), depth + 1)
        return found

    @staticmethod
    def _scalar(event: Any, where: str) -> Any:
        text: str = event.value
        if event.tag in {"!", "tag:yaml.org,2002:str"} or (event.tag is None and not event.implicit[0]):
            return text
        if event.tag is not None:
            raise _invalid(
                f"contains the YAML tag {quoted(event.tag)}; only plain values work; quote it if it is text{where}"
            )
        try:
            return _plain_scalar(text)
        except ValueError:
            raise _invalid(f"{quoted(text)} is not a number in JSON{where}") from None


def _plain_scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        number = int(text, 0)
        str(number)  # JSON is written in decimal, which Python refuses beyond some thousand digits
        return number
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(text)
    return text


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would read as another type, and repeats shared values."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Unusual line ends need escapes. If a text cannot be a block, the emitter quotes it.
    style = '"' if _LINE_ENDS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)

# In YAML 1.1, which PyYAML implements, these are text; in 1.2 they are numbers. PyYAML matches prefixes, hence the \Z.
for _number in (_DECIMAL, _RADIX, _FLOAT):
    _whole = re.compile(rf"(?:{_number.pattern})\Z", re.ASCII)
    _Dumper.add_implicit_resolver("tag:coinrequest:number", _whole, list("-+.0123456789"))
