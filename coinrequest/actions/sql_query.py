"""`sql.query`: ask a database one question."""

from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionFailed, ActionModel


class SqlQueryFailed(ActionFailed):
    """The database did not answer the statement."""


class SqlQueryInputs(ActionModel):
    """What to ask."""

    connection: str = Field(description="the name of an Airflow connection")
    sql: str = Field(description="one statement")


class SqlQueryResult(ActionModel):
    """What came back."""

    row_count: int = Field(description="how many rows")


class SqlQuery(Action[SqlQueryInputs, SqlQueryResult]):
    """Ask a database one question."""

    name: ClassVar[str] = "sql.query"
    summary: ClassVar[str] = "Ask a database one question"
    Inputs: ClassVar[type[BaseModel]] = SqlQueryInputs
    Result: ClassVar[type[BaseModel]] = SqlQueryResult
    failures: ClassVar[tuple[type[ActionFailed], ...]] = (SqlQueryFailed,)

    @classmethod
    def unavailable(cls) -> str | None:
        """Say that it is not finished."""
        return "sql.query is not ready yet"

    def run(self, inputs: SqlQueryInputs) -> SqlQueryResult:
        """Refuse."""
        raise SqlQueryFailed("sql.query is not ready yet")
