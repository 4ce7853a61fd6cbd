"""How the options of a running stack differ from the defaults, and from those that a person wants."""

import re
from collections.abc import Mapping

from coinrequest.stack.known_settings import BY_NAME
from coinrequest.stack.options import Options

_USER = re.compile(r"://[^/@\s]*@")
_QUERY = re.compile(r"\?.*")


def values(options: Options) -> dict[str, str]:
    """Return all options as a person gives them: variables, and arguments of `coinrequest stack up`."""
    given = {
        "COINREQUEST_AGENTS": str(options.agents),
        "COINREQUEST_CONCURRENCY": str(options.concurrency),
        "--queues": options.queues,
        **{f"--set {name}": value for name, value in options.overrides.items()},
        **options.variables,
    }
    return given if options.web_port is None else {**given, "COINREQUEST_PORT": str(options.web_port)}


def differences(running: Options, wanted: Options, port: int) -> list[str]:
    """Return a line for each option in which a running stack differs from what is wanted.

    Args:
        running: the options of its start.
        wanted: the options that a start would have now.
        port: the port of its web server; if none is wanted, any will do.
    """
    if not running.settled:
        # It was started by an earlier version, which did not record the settings.
        return []
    now, then = values(running), values(wanted)
    now["COINREQUEST_PORT"] = str(port)
    then.setdefault("COINREQUEST_PORT", str(port))
    return [_difference(name, now.get(name), then.get(name)) for name in _changed(now, then)]


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def _difference(name: str, now: str | None, then: str | None) -> str:
    running, wanted = ("nothing" if value is None else shown(name, value) or "''" for value in (now, then))
    return f"{name}: another value" if running == wanted else f"{name}: runs with {running}, asked for {wanted}"


def shown(name: str, value: str) -> str:
    """Return the value of an option without passwords and tokens."""
    if name in BY_NAME and BY_NAME[name].secret:
        return "***"
    if name.startswith("--set"):
        # Any option of Airflow, such as a connection or a key.
        return value if re.fullmatch(r"[\w.,-]{0,12}", value) else "***"
    return _QUERY.sub("?…", _USER.sub("://***@", value)) if "://" in value else value


def settings_lines(running: Options, in_file: Mapping[str, str]) -> list[str]:
    """Return what `status` says about the options of a running stack that differ from the defaults.

    Args:
        running: the options of its start.
        in_file: the settings in its file, which the next start reads.
    """
    if not running.settled:
        return []
    used, usual = values(running), values(Options())
    lines = []
    for name in _changed(used, usual):
        source = "settings.env" if in_file.get(name) == used[name] else "given at the start; the next start forgets it"
        lines.append(f"    {name}={shown(name, used[name])}  ({source})")
    if lines:
        lines.insert(0, "settings that differ from the defaults:")
    waiting = [name for name in in_file if in_file[name] != used.get(name)]
    if waiting:
        lines.append("in settings.env, but not in use (make down && make up applies them):")
        lines += [f"    {name}={shown(name, in_file[name])}" for name in waiting]
    return lines


def file_lines(in_file: Mapping[str, str]) -> list[str]:
    """Return what `status` says about the settings that the next start reads."""
    lines = [f"    {name}={shown(name, value)}" for name, value in in_file.items()]
    return ["The next start reads from settings.env:", *lines] if lines else []
