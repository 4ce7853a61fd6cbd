"""`sql.query`: put one statement to a database."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar

from pydantic import BaseModel, Field, JsonValue, field_validator

from coinrequest import settings
from coinrequest.actions.base import NO_REFERENCES, Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.sql.placeholders import PARAMETER_NAME, StatementInvalid
from coinrequest.actions.sql.session import Session, Statement, UnsupportedDatabase, session_for
from coinrequest.actions.sql.values import UnsupportedValue, json_ready
from coinrequest.limits import MAX_RESULT_BYTES

log = logging.getLogger(__name__)

ROW_LIMIT = 10_000
# Room for the names of the columns and the counts.
_ROWS_LIMIT = MAX_RESULT_BYTES - 65_536
_ROWS_AT_ONCE = 200


class SqlRefused(ActionFailed):
    """The connection is not granted, cannot be opened, or is of a kind that cannot do what is asked."""


class SqlStatementFailed(ActionFailed):
    """The database refused the statement, or its parameters do not fit; the text is the database's own."""


class SqlTimeout(ActionFailed):
    """The statement took longer than `timeout`, or the job was stopped; nothing was changed."""


class SqlResultInvalid(ActionFailed):
    """The rows cannot be a result: more than 1 MiB, two columns of one name, or a value that JSON cannot hold."""


class SqlQueryInputs(ActionModel):
    """What to ask, and of whom."""

    connection: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,250}$",
        description="an Airflow connection that the administrator grants in COINREQUEST_SQL_CONNECTIONS",
        examples=["warehouse"],
    )
    sql: str = Field(
        min_length=1,
        max_length=65_536,
        description="one statement; :name stands for a parameter. Values belong into parameters, never into this text",
        examples=["SELECT id, total FROM orders WHERE day = :day ORDER BY id"],
        json_schema_extra=NO_REFERENCES,
    )
    parameters: dict[str, JsonValue] = Field(
        default={},
        max_length=200,
        description="a value for each :name: text, number, boolean or null; a list (PostgreSQL only) for = ANY(:name); "
        "an object is bound as its JSON text",
        examples=[{"day": "2026-11-22"}],
    )
    read_only: bool = Field(
        default=True, description="false: the statement may write, if the administrator granted name:write"
    )
    row_limit: int = Field(default=1_000, ge=1, le=ROW_LIMIT, description="rows to return at most; the rest is left")
    timeout: float = Field(default=60.0, ge=0.1, le=3_600, description="seconds for the statement and its rows")

    @field_validator("parameters")
    @classmethod
    def _names_are_names(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in parameters:
            if not PARAMETER_NAME.fullmatch(name):
                raise ValueError(f"{name[:50]!r} is no name of a parameter: a letter or _, then letters, digits, _")
        return parameters


class SqlQueryResult(ActionModel):
    """What came back."""

    columns: tuple[str, ...] = Field(strict=False, description="the names of the columns, in order")
    rows: tuple[dict[str, Any], ...] = Field(strict=False, description="one object for each row, by column")
    row_count: int = Field(description="how many rows there are in `rows`")
    truncated: bool = Field(description="whether there were more")
    changed_rows: int | None = Field(description="rows that a writing statement changed; null: it reads, or not known")


class SqlQuery(Action[SqlQueryInputs, SqlQueryResult]):
    """Put one statement to a database that the administrator grants.

    It reads, and the database itself holds it to that; with `read_only: false` it may write, where that is granted,
    and is committed only if it succeeded. Parameters are bound, never written into the text.
    """

    name: ClassVar[str] = "sql.query"
    summary: ClassVar[str] = "Put one statement to a database and hand on its rows"
    Inputs: ClassVar[type[BaseModel]] = SqlQueryInputs
    Result: ClassVar[type[BaseModel]] = SqlQueryResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (SqlRefused, SqlStatementFailed, SqlTimeout, SqlResultInvalid)

    _session: Session | None = None
    _stopped = False

    @classmethod
    def unavailable(cls) -> str | None:
        """Say that no connection is granted, and how to grant one."""
        try:
            granted = settings.sql_connections()
        except settings.SettingInvalid as error:
            return str(error)
        if not granted:
            return (
                "no connection may be asked: the administrator names those that may in COINREQUEST_SQL_CONNECTIONS, "
                "such as warehouse,reports:write"
            )
        return None

    def run(self, inputs: SqlQueryInputs) -> SqlQueryResult:
        """Put the statement to the database.

        Raises:
            SqlRefused: the connection is not granted, cannot be opened, or its kind cannot do this.
            SqlStatementFailed: the database refused the statement, or its parameters do not fit.
            SqlTimeout: it took too long, or was stopped.
            SqlResultInvalid: the rows cannot be a result.
        """
        _check_grant(inputs)
        statement = Statement(
            sql=inputs.sql,
            parameters={name: _bindable(value) for name, value in inputs.parameters.items()},
            read_only=inputs.read_only,
            timeout=inputs.timeout,
        )
        try:
            with self._failures(inputs), self.context.open_database(inputs.connection) as database:
                self._session = session_for(database, read_only=inputs.read_only)
                with closing(self._session):
                    result = self._answer(self._session, statement, inputs.row_limit)
                    if not inputs.read_only:
                        self._session.commit()
        finally:
            self._session = None
        log.info("%d rows from %s", result.row_count, inputs.connection)
        return result

    def stop(self) -> None:
        """End the statement; what it changed is undone. It never fails: `run` is interrupted by it."""
        self._stopped = True
        if self._session is not None:
            try:
                self._session.cancel()
            except Exception:
                log.warning("the statement could not be cancelled", exc_info=True)

    def _answer(self, session: Session, statement: Statement, row_limit: int) -> SqlQueryResult:
        self.context.report(0, None, "waiting for the database")
        session.execute(statement)
        _check_columns(session.columns)
        rows: list[dict[str, Any]] = []
        size = 0
        # One row more than the limit tells whether there are more.
        while len(rows) <= row_limit and (found := session.fetch(min(_ROWS_AT_ONCE, row_limit + 1 - len(rows)))):
            for values in found:
                row = _row(session.columns, values)
                size += len(json.dumps(row)) + 2
                if size > _ROWS_LIMIT:
                    raise SqlResultInvalid(
                        f"the first {len(rows) + 1} rows have more than 1 MiB, the limit of a result; "
                        "select fewer columns, or set a lower row_limit"
                    )
                rows.append(row)
            self.context.report(min(len(rows), row_limit), None, "rows read")
            if self._stopped:
                raise SqlTimeout("the job was stopped")
        return SqlQueryResult(
            columns=session.columns,
            rows=tuple(rows[:row_limit]),
            row_count=min(len(rows), row_limit),
            truncated=len(rows) > row_limit,
            changed_rows=None if statement.read_only else session.changed_rows(),
        )

    @contextmanager
    def _failures(self, inputs: SqlQueryInputs) -> Iterator[None]:
        """Give what a driver raises a name of ours; drivers have no common base class."""
        try:
            yield
        except ActionFailed:
            raise
        except (ConnectionUnavailable, UnsupportedDatabase) as error:
            raise SqlRefused(str(error)) from error
        except StatementInvalid as error:
            raise SqlStatementFailed(str(error)) from error
        except Exception as error:
            if self._stopped:
                raise SqlTimeout("the job was stopped, and its statement with it") from error
            if self._session is None:
                # What a driver says when it cannot connect may hold what it was to connect with.
                raise SqlRefused(
                    f"the connection {inputs.connection!r} cannot be opened ({type(error).__name__}); "
                    "the log of the task says why"
                ) from error
            if self._session.is_timeout(error):
                raise SqlTimeout(f"the database needed more than {inputs.timeout:g} s") from error
            raise SqlStatementFailed(f"{inputs.connection}: {str(error)[:1_500] or type(error).__name__}") from error


def _check_grant(inputs: SqlQueryInputs) -> None:
    """Refuse a connection that the administrator has not granted, or not for writing.

    Raises:
        SqlRefused: it is not.
    """
    try:
        granted = settings.sql_connections()
    except settings.SettingInvalid as error:
        raise SqlRefused(str(error)) from error
    if inputs.connection not in granted:
        raise SqlRefused(
            f"the connection {inputs.connection!r} may not be asked: an administrator grants it by its name in "
            "COINREQUEST_SQL_CONNECTIONS"
        )
    if not inputs.read_only and not granted[inputs.connection]:
        raise SqlRefused(
            f"the connection {inputs.connection!r} may only be read: an administrator grants writing with "
            f"{inputs.connection}:write in COINREQUEST_SQL_CONNECTIONS"
        )


def _bindable(value: JsonValue) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _check_columns(columns: tuple[str, ...]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SqlResultInvalid(f"two columns are called {twice[0]!r}: give each a name of its own with AS")


def _row(columns: tuple[str, ...], values: Any) -> dict[str, Any]:
    row = {}
    for name, value in zip(columns, values, strict=True):
        try:
            row[name] = json_ready(value)
        except UnsupportedValue as error:
            raise SqlResultInvalid(f"column {name!r} holds {error}: convert it in the statement") from error
    return row
