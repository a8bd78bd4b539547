"""The first tables, as they stood when this revision was written; they are frozen here."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "organisation",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "place",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "service",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organisation"], ["organisation.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "site",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("languages", sa.Text(), nullable=False),
        sa.Column("stands", sa.Text(), nullable=False),
        sa.Column("questionnaire", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["place"], ["place.code"]),
        sa.ForeignKeyConstraint(["service"], ["service.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "stamp",
        sa.Column("stamp_id", sa.LargeBinary(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("code_used_at", sa.BigInteger(), nullable=True),
        sa.Column("code_withdrawn_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site"], ["site.code"]),
        sa.PrimaryKeyConstraint("stamp_id"),
        sa.UniqueConstraint("site", "name"),
    )
    op.create_table(
        "kiosk",
        sa.Column("kiosk_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("stamp_id", sa.LargeBinary(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("held_because", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("contact_at", sa.BigInteger(), nullable=True),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("clock_synced", sa.Boolean(), nullable=True),
        sa.Column("clock_at", sa.BigInteger(), nullable=True),
        sa.Column("uptime_h", sa.BigInteger(), nullable=True),
        sa.Column("depth", sa.BigInteger(), nullable=True),
        sa.Column("oldest_waiting", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["stamp_id"], ["stamp.stamp_id"]),
        sa.PrimaryKeyConstraint("kiosk_id"),
    )
    op.create_table(
        "stamped",
        sa.Column("kiosk_id", sa.LargeBinary(), nullable=False),
        sa.Column("stamp_id", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["kiosk_id"], ["kiosk.kiosk_id"]),
        sa.ForeignKeyConstraint(["stamp_id"], ["stamp.stamp_id"]),
        sa.PrimaryKeyConstraint("kiosk_id", "stamp_id"),
    )
    op.create_table(
        "publication",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("stamp_id", sa.LargeBinary(), nullable=True),
        sa.Column("site", sa.Text(), nullable=True),
        sa.Column("questionnaire", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site"], ["site.code"]),
        sa.ForeignKeyConstraint(["stamp_id"], ["stamp.stamp_id"]),
        sa.PrimaryKeyConstraint("kind", "serial"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("questionnaire", "version"),
    )
    op.create_table(
        "log",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("kiosk_id", sa.LargeBinary(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("said_head_seq", sa.BigInteger(), nullable=True),
        sa.Column("said_head_link", sa.LargeBinary(), nullable=True),
        sa.Column("said_settled_seq", sa.BigInteger(), nullable=True),
        sa.Column("said_oldest_held_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["kiosk_id"], ["kiosk.kiosk_id"]),
        sa.PrimaryKeyConstraint("log_id"),
    )
    op.create_table(
        "branch",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("whole_seq", sa.BigInteger(), nullable=False),
        sa.Column("whole_link", sa.LargeBinary(), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_link", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log_id"], ["log.log_id"]),
        sa.PrimaryKeyConstraint("log_id", "branch"),
    )
    op.create_table(
        "record",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
        sa.Column("opening", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "branch", "seq"),
    )
    op.create_index(
        "record_asked",
        "record",
        ["log_id", "seq"],
        unique=False,
        sqlite_where=sa.text("opening = 4"),
        postgresql_where=sa.text("opening = 4"),
    )
    op.create_index(
        "record_waiting",
        "record",
        ["log_id", "branch", "seq"],
        unique=False,
        sqlite_where=sa.text("opening = 0"),
        postgresql_where=sa.text("opening = 0"),
    )
    op.create_table(
        "day",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("assignment", sa.BigInteger(), nullable=False),
        sa.Column("half_day", sa.BigInteger(), nullable=False),
        sa.Column("clock_synced", sa.Boolean(), nullable=False),
        sa.Column("earliest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("latest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("received_day", sa.Text(), nullable=False),
        sa.Column("unknown", sa.Text(), nullable=True),
        sa.Column("minutes_available", sa.Integer(), nullable=False),
        sa.Column("minutes_out_of_service", sa.Integer(), nullable=False),
        sa.Column("sessions_begun", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "branch", "seq"),
    )
    op.create_index("day_by_id", "day", ["record_id", "log_id"], unique=True)
    op.create_table(
        "response",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("assignment", sa.BigInteger(), nullable=False),
        sa.Column("half_day", sa.BigInteger(), nullable=False),
        sa.Column("clock_synced", sa.Boolean(), nullable=False),
        sa.Column("earliest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("latest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("received_day", sa.Text(), nullable=False),
        sa.Column("unknown", sa.Text(), nullable=True),
        sa.Column("questionnaire", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("ending", sa.SmallInteger(), nullable=False),
        sa.Column("input_mode", sa.SmallInteger(), nullable=False),
        sa.Column("single_tap", sa.Boolean(), nullable=False),
        sa.Column("text_size", sa.SmallInteger(), nullable=False),
        sa.Column("helped", sa.SmallInteger(), nullable=True),
        sa.Column("age_band", sa.SmallInteger(), nullable=True),
        sa.Column("misuse", sa.SmallInteger(), nullable=False),
        sa.Column("offered", sa.Text(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "branch", "seq"),
    )
    op.create_index("response_by_id", "response", ["record_id", "log_id"], unique=True)
    op.create_table(
        "verdict",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.LargeBinary(), nullable=False),
        sa.Column("assignment", sa.BigInteger(), nullable=False),
        sa.Column("half_day", sa.BigInteger(), nullable=False),
        sa.Column("clock_synced", sa.Boolean(), nullable=False),
        sa.Column("earliest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("latest_half_day", sa.BigInteger(), nullable=False),
        sa.Column("received_day", sa.Text(), nullable=False),
        sa.Column("unknown", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.Column("reply", sa.BigInteger(), nullable=False),
        sa.Column("fairness", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "branch", "seq"),
    )
    op.create_index("verdict_by_id", "verdict", ["record_id", "log_id"], unique=True)
    op.create_table(
        "answer",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("option", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("log_id", "branch", "seq", "item"),
    )
