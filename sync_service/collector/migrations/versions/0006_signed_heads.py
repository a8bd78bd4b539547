"""Statuses kept as kiosks signed them, against which a truncated log is found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for them: of each log the newest status, and the one that had come farthest."""
    for name, kind in (
        ("said_signed", sa.LargeBinary()),
        ("said_at", sa.BigInteger()),
        ("farthest_signed", sa.LargeBinary()),
        ("farthest_at", sa.BigInteger()),
        ("farthest_settled_seq", sa.BigInteger()),
        ("farthest_head_seq", sa.BigInteger()),
    ):
        op.add_column("log", sa.Column(name, kind, nullable=True))
