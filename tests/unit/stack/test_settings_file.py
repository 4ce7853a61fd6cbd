"""`settings.env`: what a person writes there, and what each start makes of it."""

import re
import stat
from pathlib import Path

import pytest

from coinrequest import settings
from coinrequest.stack import settings_file
from coinrequest.stack.differences import differences, settings_lines
from coinrequest.stack.errors import StackError
from coinrequest.stack.known_settings import BY_NAME, SET_BY_THE_STACK, SETTINGS
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options, chosen_options

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("reference/settings.md", "how-to/embedded-stack.md", "how-to/run-containers.md")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    for name in BY_NAME:
        monkeypatch.delenv(name, raising=False)
    return Layout(tmp_path)


def write(layout: Layout, text: str) -> None:
    layout.settings.write_text(text, encoding="utf-8")


# -- the file --------------------------------------------------------------------------------------------------------


def test_the_first_start_writes_every_setting_as_a_comment(layout: Layout) -> None:
    settings_file.create(layout)
    text = layout.settings.read_text()
    assert stat.S_IMODE(layout.settings.stat().st_mode) == 0o600
    assert settings_file.read(layout) == {}
    for setting in SETTINGS:
        assert f"\n#{setting.name}={setting.default or setting.example}\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_every_line_of_the_file_can_be_used_by_removing_its_mark(layout: Layout) -> None:
    settings_file.create(layout)
    write(layout, re.sub(r"(?m)^#(?=COINREQUEST_)", "", layout.settings.read_text()))
    found = settings_file.read(layout)
    assert found == {setting.name: setting.default or setting.example for setting in SETTINGS}
    settings_file.check(found)
    assert chosen_options(found).agents == 1


def test_a_start_never_changes_the_file_but_closes_it_to_others(layout: Layout) -> None:
    write(layout, "COINREQUEST_AGENTS=2\n")
    layout.settings.chmod(0o644)
    settings_file.create(layout)
    assert layout.settings.read_text() == "COINREQUEST_AGENTS=2\n"
    assert stat.S_IMODE(layout.settings.stat().st_mode) == 0o600


def test_the_list_has_every_variable_that_the_settings_read() -> None:
    source = Path(settings.__file__).read_text()
    read = set(re.findall(r'"(COINREQUEST_[A-Z_]+[A-Z])"', source))
    assert read - SET_BY_THE_STACK <= BY_NAME.keys()
    documented = "".join((DOCS / page).read_text() for page in PAGES)
    assert [name for name in BY_NAME if f"`{name}`" not in documented] == []


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.default], ids=lambda setting: setting.name)
def test_each_default_is_what_an_unset_variable_means(
    setting: object, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(one for one in SETTINGS if one is setting)
    if found.name == "COINREQUEST_ALLOWED_NETWORKS":
        return  # the stack's own: test_environment.py
    unset, options = found.read(), Options()
    monkeypatch.setenv(found.name, found.default)
    assert found.read() == unset
    assert chosen_options({found.name: found.default}) == options


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("COINREQUEST_SMTP_URL=smtp://me:a#b@mail", "smtp://me:a#b@mail"),
        ("  COINREQUEST_SMTP_URL = 'smtp://me:a #b@mail'  # why", "smtp://me:a #b@mail"),
        ('export COINREQUEST_SMTP_URL="smtp://mail"', "smtp://mail"),
        ("COINREQUEST_SMTP_URL=smtp://mail   # why", "smtp://mail"),
        ("COINREQUEST_SMTP_URL=", ""),
        ("COINREQUEST_SMTP_URL=  # none", ""),
        ("\ufeffCOINREQUEST_SMTP_URL=x\r", "x"),
    ],
)
def test_a_line_is_read(line: str, value: str, layout: Layout) -> None:
    write(layout, f"{line}\n\n   # a comment\n")
    assert settings_file.read(layout) == {"COINREQUEST_SMTP_URL": value}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "\n# x\nCOINREQUEST_AGENT=2",
            r"line 3: there is no setting COINREQUEST_AGENT; did you mean COINREQUEST_AGENTS\?",
        ),
        ("agents=2", r"line 1: there is no setting agents; did you mean COINREQUEST_AGENTS\?"),
        ("QQQQ=2", r"line 1: there is no setting QQQQ; docs/reference/settings\.md lists them"),
        ("COINREQUEST_PRICE_URL_=2", r"no setting COINREQUEST_PRICE_URL_; did you mean COINREQUEST_PRICE_URL\?"),
        ("COINREQUEST_AGENTS 2", r"line 1: write NAME=value, or begin the line with #"),
        ("COINREQUEST_BASE_URL=http://x", r"COINREQUEST_BASE_URL cannot be set here: the stack sets it itself"),
        ("COINREQUEST_AGENTS=1\nCOINREQUEST_AGENTS=2", r"line 2: COINREQUEST_AGENTS is set in line 1 already"),
        ("COINREQUEST_MAIL_TO='me", r"line 1: the value of COINREQUEST_MAIL_TO has a quote that is not closed"),
        ("COINREQUEST_MAIL_TO='me' you", r"goes on after its closing quote"),
        ("COINREQUEST_MAIL_TO=a\0b", r"NUL"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number_and_a_remedy(lines: str, message: str, layout: Layout) -> None:
    write(layout, lines)
    with pytest.raises(StackError, match=message):
        settings_file.read(layout)


def test_a_file_that_is_no_text_is_refused(layout: Layout) -> None:
    layout.settings.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StackError, match="cannot be read"):
        settings_file.read(layout)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("COINREQUEST_TYPE_SHARE", "900", "whole number from 1 to 100"),
        ("COINREQUEST_JOB_RETENTION", "long", "COINREQUEST_JOB_RETENTION"),
        ("COINREQUEST_SQL_CONNECTIONS", "a:read", "name:write"),
        ("COINREQUEST_CONTAINER_RUNTIME", "podman", "docker or kubernetes"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_refused(name: str, value: str, message: str, layout: Layout) -> None:
    with pytest.raises(StackError, match=message):
        settings_file.check({name: value})


@pytest.mark.parametrize(("name", "value"), [("COINREQUEST_AGENTS", "two"), ("COINREQUEST_PORT", "99999")])
def test_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(StackError, match=name):
        chosen_options({name: value})


# -- precedence ------------------------------------------------------------------------------------------------------


def test_the_environment_precedes_the_file_and_an_argument_precedes_both(layout: Layout) -> None:
    write(layout, "COINREQUEST_AGENTS=2\nCOINREQUEST_CONCURRENCY=8\nCOINREQUEST_MAIL_TO=file\n")
    found = settings_file.resolve(layout, {"COINREQUEST_AGENTS": "3", "COINREQUEST_MAIL_TO": "", "HOME": "/"})
    assert found == {"COINREQUEST_AGENTS": "3", "COINREQUEST_CONCURRENCY": "8", "COINREQUEST_MAIL_TO": ""}
    options = chosen_options(found, agents=4)
    assert (options.agents, options.concurrency) == (4, 8)


def test_the_channel_of_the_files_for_shells_is_no_choice(layout: Layout) -> None:
    write(layout, "COINREQUEST_CHANNEL_URL=amqp://broker/\n")
    shell = {"COINREQUEST_CHANNEL_URL": "redis://own", "COINREQUEST_STACK_CHANNEL_URL": "redis://own"}
    assert settings_file.resolve(layout, shell) == {"COINREQUEST_CHANNEL_URL": "amqp://broker/"}
    assert settings_file.resolve(layout, {"COINREQUEST_CHANNEL_URL": ""}) == {"COINREQUEST_CHANNEL_URL": ""}


def test_variables_that_only_look_like_settings_are_named() -> None:
    assert settings_file.ignored(
        {
            "COINREQUEST_AGENT": "2",
            "COINREQUEST_BASE_URL": "http://x",
            "COINREQUEST_URL": "x",
            "COINREQUEST_AGENTS": "1",
        }
    ) == ["COINREQUEST_BASE_URL is not used: the stack sets it itself"]
    assert settings_file.ignored({"COINREQUEST_AGENT": "2"}) == [
        "COINREQUEST_AGENT is no setting of the stack; did you mean COINREQUEST_AGENTS?"
    ]


# -- what differs ----------------------------------------------------------------------------------------------------


def test_what_differs_from_a_running_stack_is_named_without_secrets() -> None:
    running = Options(
        variables={"COINREQUEST_SMTP_URL": "smtp://me:secret@one"}, overrides={"core.x": "1"}, settled=True
    )
    wanted = Options(
        agents=2,
        web_port=8080,
        variables={"COINREQUEST_SMTP_URL": "smtp://me:other@one", "COINREQUEST_METRICS_TOKEN": "token"},
        settled=True,
    )
    assert differences(running, wanted, 8081) == [
        "COINREQUEST_AGENTS: runs with 1, asked for 2",
        "--set core.x: runs with 1, asked for nothing",
        "COINREQUEST_SMTP_URL: another value",
        "COINREQUEST_PORT: runs with 8081, asked for 8080",
        "COINREQUEST_METRICS_TOKEN: runs with nothing, asked for ***",
    ]
    assert differences(running, running, 8081) == []


def test_status_says_where_a_setting_comes_from_and_which_waits() -> None:
    running = Options(agents=2, variables={"COINREQUEST_MAIL_TO": "me", "COINREQUEST_TYPE_SHARE": "50"}, settled=True)
    in_file = {"COINREQUEST_TYPE_SHARE": "50", "COINREQUEST_AGENTS": "3", "COINREQUEST_METRICS_TOKEN": "token"}
    assert settings_lines(running, in_file) == [
        "settings that differ from the defaults:",
        "    COINREQUEST_AGENTS=2  (given at the start; the next start forgets it)",
        "    COINREQUEST_MAIL_TO=me  (given at the start; the next start forgets it)",
        "    COINREQUEST_TYPE_SHARE=50  (settings.env)",
        "in settings.env, but not in use (make down && make up applies them):",
        "    COINREQUEST_AGENTS=3",
        "    COINREQUEST_METRICS_TOKEN=***",
    ]
    assert settings_lines(Options(settled=True), {}) == []
