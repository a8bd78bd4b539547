"""What respondents are told of their answers: how long they are kept, and whom to ask."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say it of organisations: of none yet."""
    op.add_column("organisation", sa.Column("kept_months", sa.Integer(), nullable=True))
    op.add_column("organisation", sa.Column("contact", sa.Text(), nullable=True))
