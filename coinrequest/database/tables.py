"""The project's own tables, beside Airflow's in the metadata database, as queries see them. All times are UTC.

Only the migrations create and change them, with the functions, triggers and grants that belong to them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from coinrequest.database.stored import StoredJson, StoredTime

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
    Column("created_at", StoredTime, nullable=False),
    # The YAML text as it was sent; NULL if it was JSON, and in revisions from before migration 0008.
    Column("text", Text, nullable=True),
    Index("coinrequest_revision_by_name", "name", "number"),
    Index("coinrequest_revision_deleted", "number", postgresql_where=text("change = 'delete'")),
)

# One row: the id of this history of revisions. A transaction that appends a revision locks the row. Two installations,
# or one before and after a restore, give the same numbers to different definitions; the id tells them apart.
installation = Table(
    "coinrequest_installation",
    metadata,
    Column("one", Boolean, CheckConstraint("one", name="coinrequest_installation_is_one"), primary_key=True),
    Column("id", Integer, nullable=False),
    Column("made_at", StoredTime, nullable=False, server_default=text("now()")),
)

# One row for every run of a job type. A trigger copies the state and the times of Airflow's run, in its transaction.
job = Table(
    "coinrequest_job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_type", String(100), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("submitted_by", String(256), nullable=False),
    Column("submitted_at", StoredTime, nullable=False),
    Column("origin", String(16), nullable=False, server_default=text("'rest'")),
    Column("state", String(16), nullable=False, server_default=text("'queued'")),
    Column("run_after", StoredTime, nullable=True),
    Column("started_at", StoredTime, nullable=True),
    Column("ended_at", StoredTime, nullable=True),
    Column("priority", Integer, nullable=True),
    Column("labels", StoredJson, nullable=False, server_default=text("'{}'::jsonb")),
    Column("callback", StoredJson, nullable=True),
    Column("callback_secret", Text, nullable=True),
    Column("cancelled_by", String(256), nullable=True),
    Column("cancelled_at", StoredTime, nullable=True),
    Column("cancel_reason", Text, nullable=True),
    UniqueConstraint("job_type", "run_id", name="coinrequest_job_run"),
    Index("coinrequest_job_newest_first", "submitted_at", "id"),
    Index("coinrequest_job_of_type", "job_type", "submitted_at", "id"),
    Index("coinrequest_job_in_state", "state", "submitted_at", "id"),
    Index("coinrequest_job_of_type_in_state", "job_type", "state", "submitted_at", "id"),
    Index("coinrequest_job_of_submitter", "submitted_by", "submitted_at", "id"),
    Index("coinrequest_job_labels", "labels", postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"}),
    Index("coinrequest_job_by_end", "ended_at", "id", postgresql_where=text("ended_at IS NOT NULL")),
    Index("coinrequest_job_ended", "job_type", "ended_at", "id", postgresql_where=text("ended_at IS NOT NULL")),
)

# An idempotency key of a submitter, and the job that was started under it.
submission_key = Table(
    "coinrequest_submission_key",
    metadata,
    Column("submitted_by", String(256), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_id", Uuid, nullable=False),
    Column("free_on_failure", Boolean, nullable=False),
    Column("expires_at", StoredTime, nullable=False),
    Index("coinrequest_submission_key_expiry", "expires_at"),
)

# The outbox: a job that ended, written in the transaction that ended it. A gateway turns it into notices.
completion = Table(
    "coinrequest_completion",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ended_at", StoredTime, nullable=False),
)

# One message to one recipient about the end of a job. `state`: pending, delivered, failed.
notice = Table(
    "coinrequest_notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("destination", Text, nullable=False),
    Column("secret_connection", String(200), nullable=True),
    Column("secret", Text, nullable=True),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False, server_default=text("'pending'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("created_at", StoredTime, nullable=False),
    Column("next_attempt_at", StoredTime, nullable=False),
    Column("give_up_at", StoredTime, nullable=False),
    Column("ended_at", StoredTime, nullable=True),
    Index("coinrequest_notice_of_job", "job_id"),
    Index("coinrequest_notice_due", "next_attempt_at", postgresql_where=text("state = 'pending'")),
    Index("coinrequest_notice_failed", "ended_at", postgresql_where=text("state = 'failed'")),
)

# One attempt to deliver a notice: when, how long it took, and the answer (at most 1 KiB of it).
notice_attempt = Table(
    "coinrequest_notice_attempt",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("notice_id", Uuid, ForeignKey("coinrequest_notice.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", StoredTime, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("status", Integer, nullable=True),
    Column("error", Text, nullable=True),
    Column("response", Text, nullable=True),
    Index("coinrequest_notice_attempt_of_notice", "notice_id", "number"),
)

# The running gateways: when each was last seen, and how many messages it holds until the database is back.
gateway = Table(
    "coinrequest_gateway",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("started_at", StoredTime, nullable=False),
    Column("seen_at", StoredTime, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("detail", Text, nullable=True),
    Column("waiting", Integer, nullable=True),
    Column("waiting_since", StoredTime, nullable=True),
)

# Counters for the metrics, which only grow: the completions that gateways processed. `label` is a state, or a bucket's
# bound.
tally = Table(
    "coinrequest_tally",
    metadata,
    Column("job_type", String(100), primary_key=True),
    Column("measure", String(32), primary_key=True),
    Column("label", String(32), primary_key=True),
    Column("value", Double, nullable=False),
)

# What the scheduler remembers of the schedule of a type; no row: nothing. Times up to `starts_at` are not of this
# schedule. `waits`: a time is due, and waits for an earlier job. `last_dropped_at` is a due time.
schedule = Table(
    "coinrequest_schedule",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("starts_at", StoredTime, nullable=True),
    Column("resumed_at", StoredTime, nullable=True),
    Column("waits", Boolean, nullable=False, server_default=text("false")),
    Column("last_dropped_at", StoredTime, nullable=True),
    Column("last_dropped_reason", String(16), nullable=True),
)

# Attempts to sign in, of one user, address or both (`key` is their digest); each counts as a failure until it succeeds.
# `trusted`: the user has signed in from this address before.
sign_in = Table(
    "coinrequest_sign_in",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", StoredTime, nullable=False),
    Column("retry_at", StoredTime, nullable=False),
    Column("trusted", Boolean, nullable=False, server_default=text("false")),
    Column("expires_at", StoredTime, nullable=False),
    Index("coinrequest_sign_in_expiry", "expires_at"),
)
