"""A small herd. `make fleet KIOSKS=10000` is the same with a large one."""

import asyncio

import pytest
from measuring import folder
from postgresql import Cluster
from reconnecting import Rig
from sqlalchemy import delete, insert, select

from sync_service.collector import tables
from sync_service.collector.database import open_engine, writing

KIOSKS = 200
WITHIN_S = 300


@pytest.fixture(scope="module")
def rig():
    with folder() as place, Cluster.started() as cluster:
        rig = Rig(place, cluster, KIOSKS)
        yield rig
        rig.close()


@pytest.fixture(scope="module")
def came(rig):
    return rig.reconnect(WITHIN_S)


async def lose_two_and_double_one(centre):
    """What no collector may do, done to its tables."""
    record = tables.record
    engine = open_engine(centre.database_url)
    async with writing(engine) as connection:
        rows = (await connection.execute(select(record).limit(3))).mappings().all()
        for row in rows[:2]:
            at = (record.c.log_id == row["log_id"], record.c.seq == row["seq"])
            await connection.execute(delete(record).where(*at))
        await connection.execute(insert(record), {**rows[2], "branch": 1})
    await engine.dispose()


def test_a_herd_gets_rid_of_all_it_holds_and_every_record_is_held_once(came):
    assert came.drain.left == 0
    assert came.judgement.acknowledged >= KIOSKS * 40
    assert (came.judgement.lost, came.judgement.doubled) == (0, 0)


def test_no_request_of_a_herd_ends_in_anything_but_a_reply_or_a_word_to_come_again(came):
    assert came.drain.tally.ends.keys() <= {"200", "503"}


def test_the_judge_sees_what_is_lost_and_what_is_doubled(rig, came):
    asyncio.run(lose_two_and_double_one(rig.centre))
    judgement = rig.judge(came.drain)
    assert (judgement.lost, judgement.doubled) == (2, 1)
