"""The project's own tables, beside Airflow's in the metadata database.

`airflow db migrate` creates and upgrades them (`coinrequest.migrations.manager`). All times are UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    event,
    text,
)
from sqlalchemy.schema import DDL

from coinrequest.migrations.append_only import GUARD_STATEMENTS, reader_grant

metadata = MetaData()

revision = Table(
    "coinrequest_revision",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("change", String(16), nullable=False),
    Column("document", Text, nullable=True),
    Column("announces", Boolean, nullable=False, server_default=text("false")),
    Column("author", String(256), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("coinrequest_revision_by_name", "name", "number"),
    Index("coinrequest_revision_deleted", "number", postgresql_where=text("change = 'delete'")),
)

job = Table(
    "coinrequest_job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_type", String(100), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("submitted_by", String(256), nullable=False),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("job_type", "run_id", name="coinrequest_job_run"),
    Index("coinrequest_job_newest_first", "submitted_at", "id"),
    Index("coinrequest_job_of_type", "job_type", "submitted_at", "id"),
)

for statement in (*GUARD_STATEMENTS, reader_grant("coinrequest_revision")):
    event.listen(revision, "after_create", DDL(statement.replace("%", "%%")))
