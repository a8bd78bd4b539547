"""What is bolted to kiosks: what is wrong with it, and how often a sensor noticed someone."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column to each of two tables; nothing is known of what came before."""
    op.add_column("kiosk", sa.Column("troubles", sa.Text(), nullable=True))
    op.add_column("day", sa.Column("approaches", sa.Integer(), nullable=True))
