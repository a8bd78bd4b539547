"""Retention: what was kept long enough and is dropped."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and say of sites before which day answers are dropped: of none yet."""
    op.create_table(
        "expiry",
        sa.Column("log_id", sa.LargeBinary(), nullable=False),
        sa.Column("branch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paper", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", "branch"),
    )
    op.add_column("site", sa.Column("dropped_before", sa.Text(), nullable=True))
