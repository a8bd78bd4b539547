"""Instalments, in which opened records are handed out, and tokens to pull them with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and say of opened records in which instalment they are: in none yet."""
    op.create_table(
        "instalment",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("closed_on", sa.Text(), nullable=False),
        sa.Column("first_half_day", sa.BigInteger(), nullable=True),
        sa.Column("last_half_day", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("closed_on"),
    )
    instalment = sa.table(
        "instalment", sa.column("number"), sa.column("tag"), sa.column("closed_on")
    )
    op.execute(sa.insert(instalment).values(number=0, tag=bytes(8), closed_on=""))
    op.create_table(
        "pull_token",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_on", sa.Text(), nullable=False),
        sa.Column("used_on", sa.Text(), nullable=True),
        sa.Column("revoked_on", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("digest"),
    )
    for table in ("response", "verdict", "day"):
        op.add_column(table, sa.Column("instalment", sa.BigInteger(), nullable=True))
        op.create_index(f"{table}_by_instalment", table, ["instalment", "record_id"])
