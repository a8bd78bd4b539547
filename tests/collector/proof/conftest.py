import pytest

from sync_service.collector.proof.findings import Kind
from sync_service.collector.proof.verification import Verification

DAY_S = 86_400


@pytest.fixture
def look(rig):
    """Gives what there is to say of a kiosk's log: kind, first and last seq of each finding."""

    def look(kiosk):
        return [(each.kind, each.first_seq, each.last_seq) for each in findings(rig, kiosk)]

    return look


def findings(rig, kiosk):
    verification = Verification(rig.engine, [rig.receipt_key.verifying_key])

    async def look():
        return [each async for each in verification.look_at(kiosk.log_id)]

    return rig.run(look())


@pytest.fixture
def sees(rig):
    """Gives the findings of one kind on a kiosk's log, whole."""
    return lambda kiosk, kind: [each for each in findings(rig, kiosk) if each.kind is Kind(kind)]
