"""Which publications kiosks hold, so that a restored collector never uses a serial twice."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say it of kiosks: of none yet, until its next contact."""
    op.add_column("kiosk", sa.Column("serials", sa.Text(), nullable=True))
