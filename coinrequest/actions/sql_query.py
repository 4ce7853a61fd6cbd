"""`sql.query`: run one statement in a database."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, ClassVar

from pydantic import BaseModel, Field, JsonValue, field_validator

from coinrequest import settings
from coinrequest.actions.base import NO_REFERENCES, Action, ActionFailed, ActionModel
from coinrequest.actions.context import ConnectionUnavailable
from coinrequest.actions.sql.placeholders import PARAMETER_NAME, StatementInvalid
from coinrequest.actions.sql.session import Session, Statement, UnsupportedDatabase, session_for
from coinrequest.actions.sql.values import json_ready
from coinrequest.limits import MAX_RESULT_BYTES
from coinrequest.nesting import MAX_DEPTH, is_too_deep

log = logging.getLogger(__name__)

ROW_LIMIT = 10_000
# Leaves room for the names of the columns and for the counts.
_ROOM = 65_536
_MAX_ROWS_BYTES = MAX_RESULT_BYTES - _ROOM
_BATCH_SIZE = 200


class SqlRefused(ActionFailed):
    """The connection is not granted, cannot be opened, or does not support the statement."""


class SqlStatementFailed(ActionFailed):
    """The database refused the statement, or the parameters do not match it."""


class SqlTimeout(ActionFailed):
    """The statement took longer than `timeout`, or the job was stopped; no changes were made."""


class SqlResultInvalid(ActionFailed):
    """The rows are larger than 1 MiB, are nested deeper than 200 levels, or have duplicate column names."""


class SqlNothingMatched(ActionFailed):
    """The statement found no row and changed none, and `must_match` is set; no changes were made."""


class SqlQueryInputs(ActionModel):
    """The inputs of `sql.query`."""

    connection: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,250}$",
        description="an Airflow connection that the administrator grants in COINREQUEST_SQL_CONNECTIONS",
        examples=["warehouse"],
    )
    sql: str = Field(
        min_length=1,
        max_length=65_536,
        description="one statement, with :name for each parameter; put values into parameters, not into this text",
        examples=["SELECT id, total FROM orders WHERE day = :day ORDER BY id"],
        json_schema_extra=NO_REFERENCES,
    )
    parameters: dict[str, JsonValue] = Field(
        default={},
        max_length=200,
        description="a value for each :name: a text, number, boolean or null; a list for = ANY(:name), on PostgreSQL "
        "only; an object is bound as JSON text",
        examples=[{"day": "2026-11-22"}],
    )
    read_only: bool = Field(
        default=True, description="false allows the statement to write, if the administrator has granted name:write"
    )
    must_match: bool = Field(
        default=False, description="whether the task fails if the statement finds no row and changes none"
    )
    row_limit: int = Field(default=1_000, ge=1, le=ROW_LIMIT, description="the maximum number of rows to return")
    timeout: float = Field(default=60.0, ge=0.1, le=3_600, description="seconds for the statement and its rows")

    @field_validator("parameters")
    @classmethod
    def _names_are_names(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in parameters:
            if not PARAMETER_NAME.fullmatch(name):
                raise ValueError(f"{name[:50]!r} is not a valid name: use a letter or _, then letters, digits and _")
        return parameters


class SqlQueryResult(ActionModel):
    """The result of `sql.query`."""

    columns: tuple[str, ...] = Field(strict=False, description="the names of the columns, in order")
    rows: tuple[dict[str, Any], ...] = Field(strict=False, description="one object for each row, by column")
    row_count: int = Field(description="the number of rows in `rows`")
    truncated: bool = Field(description="whether there were more rows")
    changed_rows: int | None = Field(
        description="the number of rows that the statement changed; null if it only reads or the number is unknown"
    )


class SqlQuery(Action[SqlQueryInputs, SqlQueryResult]):
    """Run one statement in a database that the administrator has granted.

    The statement may only read, and the database enforces this. With `read_only: false` it may write, if that is
    granted too, and is committed if it succeeds. Parameters are bound, and never inserted into the text.
    """

    name: ClassVar[str] = "sql.query"
    summary: ClassVar[str] = "Run a statement in a database and return its rows"
    Inputs: ClassVar[type[BaseModel]] = SqlQueryInputs
    Result: ClassVar[type[BaseModel]] = SqlQueryResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (
        SqlRefused,
        SqlStatementFailed,
        SqlTimeout,
        SqlResultInvalid,
        SqlNothingMatched,
    )

    _session: Session | None = None
    _stopped = False

    @classmethod
    def unavailable(cls) -> str | None:
        """Return that no connection is granted, and how to grant one."""
        try:
            granted = settings.sql_connections()
        except settings.SettingInvalid as error:
            return str(error)
        if not granted:
            return (
                "no connection is granted; the administrator can grant connections in COINREQUEST_SQL_CONNECTIONS, "
                "such as warehouse,reports:write"
            )
        return None

    @classmethod
    def doubts(cls, inputs: Mapping[str, Any]) -> Mapping[str, str]:
        """Return that the connection is not granted."""
        name = inputs.get("connection")
        if not isinstance(name, str) or "{{" in name or not isinstance(inputs.get("read_only", True), bool):
            return {}
        try:
            _check_grant(name, read_only=inputs.get("read_only", True))
        except SqlRefused as error:
            return {"connection": str(error)}
        return {}

    def run(self, inputs: SqlQueryInputs) -> SqlQueryResult:
        """Run the statement.

        Raises:
            SqlRefused: the connection is not granted, cannot be opened, or does not support the statement.
            SqlStatementFailed: the database refused the statement, or the parameters do not match it.
            SqlTimeout: it took too long or was stopped.
            SqlResultInvalid: the rows are too large or nested too deeply, or two columns have the same name.
            SqlNothingMatched: it found no row and changed none, although it must.
        """
        _check_grant(inputs.connection, read_only=inputs.read_only)
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
                    if inputs.must_match:
                        _check_match(result)
                    if not inputs.read_only:
                        self._session.commit()
        finally:
            self._session = None
        log.info("Received %d rows from %s", result.row_count, inputs.connection)
        return result

    def stop(self) -> None:
        """Cancel the statement, whose changes are rolled back. It never raises, and `run` is interrupted."""
        self._stopped = True
        if self._session is not None:
            try:
                self._session.cancel()
            except Exception:
                log.warning("The statement could not be cancelled", exc_info=True)

    def _answer(self, session: Session, statement: Statement, row_limit: int) -> SqlQueryResult:
        self.context.report(0, None, "waiting for the database")
        session.execute(statement)
        _check_columns(session.columns)
        rows: list[dict[str, Any]] = []
        size = max(0, len(json.dumps(session.columns, ensure_ascii=False).encode()) - _ROOM // 2)
        # One row beyond the limit shows that there are more.
        while len(rows) <= row_limit and (found := session.fetch(min(_BATCH_SIZE, row_limit + 1 - len(rows)))):
            for values in found:
                row, length = _row(session.columns, values)
                size += length + 2
                if size > _MAX_ROWS_BYTES:
                    raise SqlResultInvalid(
                        f"the first {len(rows) + 1} rows exceed {_MAX_ROWS_BYTES // 1024} KiB as JSON; "
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
        """Convert the exceptions of drivers, which have no common base class."""
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
                raise SqlTimeout("the job and its statement were stopped") from error
            if self._session is None:
                # On an agent, the context and the operator mask the secrets in it.
                raise SqlRefused(
                    f"the connection {inputs.connection!r} cannot be opened: "
                    f"{str(error)[:1_500] or type(error).__name__}"
                ) from error
            if self._session.is_timeout(error):
                raise SqlTimeout(f"the statement took longer than {inputs.timeout:g} s") from error
            raise SqlStatementFailed(f"{inputs.connection}: {str(error)[:1_500] or type(error).__name__}") from error


def _check_grant(connection: str, *, read_only: bool) -> None:
    """Check that the administrator has granted the connection, and for writing if necessary.

    Raises:
        SqlRefused: it is not granted.
    """
    try:
        granted = settings.sql_connections()
    except settings.SettingInvalid as error:
        raise SqlRefused(str(error)) from error
    if connection not in granted:
        raise SqlRefused(
            f"the connection {connection!r} is not granted; an administrator can grant it in "
            "COINREQUEST_SQL_CONNECTIONS"
        )
    if not read_only and not granted[connection]:
        raise SqlRefused(
            f"the connection {connection!r} is granted for reading only; an administrator can grant writing "
            f"with {connection}:write in COINREQUEST_SQL_CONNECTIONS"
        )


def _check_match(result: SqlQueryResult) -> None:
    """Fail if there is nothing; a number of changed rows that the driver does not tell counts as some."""
    if not result.rows and not result.changed_rows and (result.columns or result.changed_rows == 0):
        raise SqlNothingMatched("the statement found no row and changed none, and must_match is set")


def _bindable(value: JsonValue) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _check_columns(columns: tuple[str, ...]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SqlResultInvalid(f"two columns have the name {twice[0]!r}; rename one with AS")


def _row(columns: tuple[str, ...], values: Any) -> tuple[dict[str, Any], int]:
    """Return a row, and its size in bytes as JSON."""
    row = {name: json_ready(value) for name, value in zip(columns, values, strict=True)}
    text = json.dumps(row, ensure_ascii=False)
    if is_too_deep([[row]], text):
        raise SqlResultInvalid(f"a value is nested deeper than {MAX_DEPTH} levels; convert it to text in the statement")
    return row, len(text.encode(errors="surrogatepass"))
