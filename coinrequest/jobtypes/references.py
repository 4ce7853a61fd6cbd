"""References: the `{{ ... }}` of a definition.

A reference is data, not a template. It names a param, the output of an upstream task, the item of a task with
`for_each`, or a field of the job. Double braces contain nothing else: no filters, no calls, no other names. The values
of references are not searched for references. `{{ "{{" }}` stands for the braces themselves.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from coinrequest.errors import CoinrequestError
from coinrequest.jobtypes.sizes import SizeLimit
from coinrequest.jobtypes.suggestions import hint, quoted
from coinrequest.limits import MEBIBYTE

MAX_RESOLVED_BYTES = 4 * MEBIBYTE
ROOTS = ("params", "tasks", "item", "job")
JOB_FIELDS = ("id", "type", "run_after")
TASK_FIELDS = ("output", "state", "error")

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
_INDEX = re.compile(r"[0-9]{1,9}", re.ASCII)
_LITERAL = re.compile(r"""\{\{\s*(["'])(\{\{|\}\}|\{%)\1\s*\}\}""")
_REMEDY = (
    'write {{ params.x }}, {{ tasks.id.output }}, {{ item }} or {{ job.id }}, or {{ "{{" }} for the braces themselves'
)


class _Nothing:
    """The type of `NOTHING`, which means that there is no item, while an item may be null."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()


class ReferenceInvalid(CoinrequestError, ValueError):
    """The text in double braces is not a reference; the message gives examples."""


class ReferenceUnresolved(CoinrequestError, LookupError):
    """A reference names something that this job does not have.

    Attributes:
        reference: the reference.
        at: the last part of it that exists, such as `tasks.prices.output`.
        exists: what exists there instead, in words.
    """

    def __init__(self, reference: "Reference", at: str, exists: str) -> None:
        self.reference = reference
        self.at = at
        self.exists = exists
        super().__init__(f"{{{{ {reference} }}}} cannot be resolved: {at} {exists}")

    def __reduce__(self) -> tuple[type["ReferenceUnresolved"], tuple["Reference", str, str]]:
        return (type(self), (self.reference, self.at, self.exists))


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference.

    Attributes:
        root: `params`, `tasks`, `item` or `job`.
        task: the task's id if the root is `tasks`, else None.
        path: the rest: names of fields, and positions in lists, counted from 0.
        part: of the task: its `output`, its `state` or its `error`.
    """

    root: str
    task: str | None
    path: tuple[str, ...]
    part: str = "output"

    def __str__(self) -> str:
        head = (self.root,) if self.task is None else (self.root, self.task, self.part)
        return ".".join((*head, *self.path))

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Parse the text between the braces; surrounding white space is ignored.

        Raises:
            ReferenceInvalid: it is not a reference.
        """
        text = text.strip()
        segments = text.split(".")
        if not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise ReferenceInvalid(
                f"{quoted(text)} is not a reference, and double braces may contain nothing else; {_REMEDY}"
            )
        root, *rest = segments
        if root == "tasks":
            if len(rest) < 2 or rest[1] not in TASK_FIELDS or (rest[1] != "output" and len(rest) > 2):
                raise ReferenceInvalid(
                    f"{quoted(text)}: a task has only an output, a state and an error; write tasks.<id>.output"
                )
            return cls(root, rest[0], tuple(rest[2:]), rest[1])
        if root == "job":
            if len(rest) != 1 or rest[0] not in JOB_FIELDS:
                raise ReferenceInvalid(
                    f"{quoted(text)}: a job has only " + ", ".join(f"job.{name}" for name in JOB_FIELDS)
                )
            return cls(root, None, tuple(rest))
        if root in ROOTS:
            return cls(root, None, tuple(rest))
        raise ReferenceInvalid(f"{quoted(text)}: a reference cannot begin with {quoted(root)}{hint(root, ROOTS)}")


@dataclass(frozen=True, slots=True)
class Scope:
    """The values that references can use in one task of one job.

    Attributes:
        params: the job's params, with defaults filled in.
        outputs: the outputs of upstream tasks by task id; only those in references are read.
        endings: the `state` and the `error` of upstream tasks by task id; likewise.
        item: the item of a mapped task, or `NOTHING`.
        job: `id`, `type` and `run_after` of the job.
    """

    params: Mapping[str, object] = field(default_factory=dict)
    outputs: Mapping[str, object] = field(default_factory=dict)
    endings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    item: object = NOTHING
    job: Mapping[str, object] = field(default_factory=dict)


class Occurrence(NamedTuple):
    """A reference, or braces without one, and its place in a value.

    Attributes:
        path: the path of the text in the value.
        reference: the reference, or None.
        problem: the error, if there is no reference.
        whole: whether the text is only this reference, so that its value keeps its type.
    """

    path: tuple[str | int, ...]
    reference: Reference | None
    problem: str
    whole: bool


def split(text: str) -> list[str | Reference | ReferenceInvalid]:
    """Split a text into plain text, references, and errors for braces without one, in order.

    Braces that are written as a literal are plain text.
    """
    parts: list[str | Reference | ReferenceInvalid] = []
    plain: list[str] = []
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        plain.append(text[position:opening])
        if literal := _LITERAL.match(text, opening):
            parts += [plain[-1], literal[2]]
            position = literal.end()
            continue
        closing = text.find("}}", opening + 2)
        parts.append(plain[-1])
        if closing < 0:
            parts.append(ReferenceInvalid(f"'{{{{' is never closed; {_REMEDY}"))
            position = len(text)
            break
        try:
            parts.append(Reference.parse(text[opening + 2 : closing]))
        except ReferenceInvalid as error:
            parts.append(error)
        position = closing + 2
    plain.append(text[position:])
    parts.append(plain[-1])
    if any("{%" in part for part in plain):
        parts.append(ReferenceInvalid(f"'{{%' is not supported: a definition is not a template; {_REMEDY}"))
    return [part for part in parts if part != ""]


def has_braces(text: str) -> bool:
    """Return whether a text contains what looks like a reference or a template."""
    return "{{" in text or "{%" in text


def has_references(text: str) -> bool:
    """Return whether a text contains a reference, or braces that must not be there."""
    return has_braces(text) and any(not isinstance(part, str) for part in split(text))


def literal(text: str) -> str:
    """Return an input whose value is `text`, whatever braces it has."""
    return re.sub(r"\{\{|\{%", lambda found: f'{{{{ "{found[0]}" }}}}', text)


def scan(value: object, path: tuple[str | int, ...] = ()) -> Iterator[Occurrence]:
    """Yield every reference in texts at any depth, and everything that looks like one.

    Braces in the keys of an object are never references, and are errors.
    """
    if isinstance(value, str):
        if has_braces(value):
            parts = split(value)
            for part in parts:
                if isinstance(part, Reference):
                    yield Occurrence(path, part, "", whole=len(parts) == 1)
                elif isinstance(part, ReferenceInvalid):
                    yield Occurrence(path, None, str(part), whole=False)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and has_braces(key):
                yield Occurrence((*path, key), None, "the name of a field cannot contain a reference", whole=False)
            yield from scan(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from scan(inner, (*path, index))


def find_references(value: object) -> tuple[Reference, ...]:
    """Return the references in a value, each once, in order.

    Args:
        value: a text, or lists and objects of texts at any depth. Braces without a reference are ignored.
    """
    return tuple(dict.fromkeys(found.reference for found in scan(value) if found.reference is not None))


def resolve(value: object, scope: Scope, size: SizeLimit | None = None) -> object:
    """Replace the references in a value.

    Args:
        value: plain JSON; it is not changed.
        scope: the values that references can use.
        size: the size limit of the values of all references; 4 MiB by default.

    Returns:
        The value with every reference replaced. A text that is a single reference becomes the reference's value, with
        its type; a reference inside a longer text becomes text, which is JSON for values other than text.

    Raises:
        ReferenceInvalid: double braces contain something other than a reference.
        ReferenceUnresolved: a reference leads to something that does not exist.
        TooLarge: the values exceed the size limit.
    """
    size = SizeLimit("the values of the references together", MAX_RESOLVED_BYTES) if size is None else size
    if isinstance(value, str):
        return _resolve_text(value, scope, size) if has_braces(value) else value
    if isinstance(value, Mapping):
        return {key: resolve(inner, scope, size) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, scope, size) for inner in value]
    return value


def _resolve_text(text: str, scope: Scope, size: SizeLimit) -> object:
    parts = split(text)
    for part in parts:
        if isinstance(part, ReferenceInvalid):
            raise part
    if len(parts) == 1 and isinstance(parts[0], Reference):
        found = lookup(parts[0], scope)
        size.add(found)
        return found
    return "".join(_text_of(part, scope, size) if isinstance(part, Reference) else str(part) for part in parts)


def _text_of(reference: Reference, scope: Scope, size: SizeLimit) -> str:
    found = as_text(lookup(reference, scope))
    size.add(found)
    return found


def lookup(reference: Reference, scope: Scope) -> object:
    """Return the value of a reference.

    Raises:
        ReferenceUnresolved: it leads to something that does not exist.
    """
    value: object
    if reference.task is not None and reference.part != "output":
        value = scope.endings[reference.task][reference.part]
        at = str(reference)
    elif reference.task is not None:
        try:
            value = scope.outputs[reference.task]
        except KeyError:
            known = ", ".join(scope.outputs) or "none"
            raise ReferenceUnresolved(
                reference, f"tasks.{reference.task}", f"has no output here (outputs: {known})"
            ) from None
        at = f"tasks.{reference.task}.output"
    else:
        value = {"params": scope.params, "item": scope.item, "job": scope.job}[reference.root]
        at = reference.root
        if value is NOTHING:
            raise ReferenceUnresolved(reference, at, "exists only in a task with for_each")
    for segment in reference.path:
        value = _step(reference, value, segment, at)
        at = f"{at}.{segment}"
    return value


def _step(reference: Reference, value: object, segment: str, at: str) -> object:
    if isinstance(value, Mapping):
        if segment in value:
            return value[segment]
        names = ", ".join(str(name) for name in list(value)[:20]) or "no fields"
        raise ReferenceUnresolved(reference, at, f"has no field {quoted(segment)} (it has {names})")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if _INDEX.fullmatch(segment) and int(segment) < len(value):
            return value[int(segment)]
        raise ReferenceUnresolved(
            reference, at, f"is a list of {len(value)}, counted from 0; it has no {quoted(segment)}"
        )
    kind = "null" if value is None else type(value).__name__
    raise ReferenceUnresolved(reference, at, f"is a single value ({kind}) and has no {quoted(segment)}")


def as_text(value: object) -> str:
    """Return a value as it appears in a longer text: text unchanged, other values as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)
