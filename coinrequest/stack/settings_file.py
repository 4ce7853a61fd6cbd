"""The file with the settings of a stack, `settings.env`: a person writes it, and every start reads it.

A line is `NAME=value`; a line that begins with `#` is a comment. Quotes around a value are removed.
"""

import os
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from coinrequest.install.private_files import write_private
from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE
from coinrequest.settings import SettingInvalid
from coinrequest.stack.errors import StackError
from coinrequest.stack.known_settings import BY_NAME, SET_BY_THE_STACK, SETTINGS, Setting, is_known, nearest_setting
from coinrequest.stack.layout import Layout

_CHANNEL = "COINREQUEST_CHANNEL_URL"
_HEAD = """\
# Settings of this stack. Every start reads them: remove the # of a line, change its value, then
#
#     make down && make up
#
# A variable that is set when the stack starts (COINREQUEST_AGENTS=2 make up) precedes this file.
# `make status` shows what differs from the defaults. This file is yours: the stack never changes it.
"""
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def create(layout: Layout) -> None:
    """Write the file with every setting as a comment, if there is none; only the owner may read it."""
    if layout.settings.exists():
        layout.settings.chmod(0o600)
    else:
        write_private(layout.settings, _HEAD + "".join(map(_block, SETTINGS)))


def _block(setting: Setting) -> str:
    text = f"{setting.text[0].upper()}{setting.text[1:]}"
    text += f" (default: {setting.default})." if setting.default else "."
    comment = textwrap.fill(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return f"\n{comment}\n#{setting.name}={setting.default or setting.example}\n"


def read(layout: Layout) -> dict[str, str]:
    """Return the settings in the file; none if it does not exist.

    Raises:
        StackError: a line is no setting; the message has the line and the nearest name.
    """
    try:
        text = layout.settings.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        raise StackError(f"{layout.settings} cannot be read: {error}") from None
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            name, value = _parse(line.strip())
        except ValueError as error:
            raise StackError(f"{layout.settings}, line {number}: {error}") from None
        if name in found:
            raise StackError(f"{layout.settings}, line {number}: {name} is set in line {lines[name]} already")
        found[name], lines[name] = value, number
    return found


def _parse(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("write NAME=value, or begin the line with # for a comment")
    name, value = match[1], match[2]
    if name in SET_BY_THE_STACK or name == "COINREQUEST_STACK_ROOT":
        raise ValueError(f"{name} cannot be set here: the stack sets it itself")
    if not is_known(name):
        similar = nearest_setting(name)
        remedy = f"did you mean {similar}?" if similar else "docs/reference/settings.md lists them"
        raise ValueError(f"there is no setting {name}; {remedy}")
    if "\0" in value:
        raise ValueError(f"the value of {name} contains a NUL character")
    if not value.startswith(("'", '"')):
        return name, re.sub(r"(^|\s+)#.*", "", value)
    try:
        words = shlex.split(value, comments=True)
    except ValueError:
        raise ValueError(f"the value of {name} has a quote that is not closed") from None
    if len(words) != 1:
        raise ValueError(f"the value of {name} goes on after its closing quote")
    return name, words[0]


def resolve(layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a start: those of the environment, and those of the file that it does not set.

    Raises:
        StackError: the file has a line that is no setting.
    """
    chosen = {name: value for name, value in environment.items() if is_known(name)}
    if chosen.get(_CHANNEL) == environment.get(OWN_CHANNEL_VARIABLE):
        # It comes from `.stack/env`, not from a person.
        chosen.pop(_CHANNEL, None)
    return {**read(layout), **chosen}


def check(values: Mapping[str, str]) -> None:
    """Check the values of settings, in the environment of this process, which is as before afterwards.

    Raises:
        StackError: a setting has a value that it cannot have.
    """
    with _environment(values):
        for setting in SETTINGS:
            try:
                setting.read()
            except SettingInvalid as error:
                raise StackError(f"{error}.") from None


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        os.environ.update(values)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ignored(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable of a person's environment that looks like a setting and is none."""
    found = [f"{name} is not used: the stack sets it itself" for name in sorted(SET_BY_THE_STACK & environment.keys())]
    for name in sorted(environment):
        if name.startswith("COINREQUEST_") and name not in _ELSEWHERE and not is_known(name):
            similar = nearest_setting(name, BY_NAME.keys() - environment.keys())
            if similar and name not in SET_BY_THE_STACK:
                found.append(f"{name} is no setting of the stack; did you mean {similar}?")
    return found


# Variables of `coinrequest demo`, of scripts and of Compose, which may be in the same shell.
_ELSEWHERE = frozenset(
    f"COINREQUEST_{name}"
    for name in (
        *("URL", "USERNAME", "PASSWORD", "API_URL", "DEMO_KEEP", "PYTHON", "PROFILE", "PROFILES", "STACK_ROOT"),
        *("BIND", "IMAGE", "IMAGE_OPTIONS", "HTTP_PORT", "HTTPS_PORT", "MAIL_PORT", "FLOWER_PORT", "RABBITMQ_PORT"),
        *("RABBITMQ_URL", "RABBITMQ_PAGE_PORT", "STACK_CHANNEL_URL", "SECRETS_FILE", "TLS_FOLDER", "WEB_SERVERS"),
    )
)
