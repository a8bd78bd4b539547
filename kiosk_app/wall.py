"""The wall: what the service replies, as it stands today, and which reply is looked at."""

from random import Random

from kiosk_app.in_force import InForce, days_late
from kiosk_app.view import Posted
from sync_service.contract.publication import Answer
from sync_service.contract.record import Moment


class Wall:
    """The replies in force at a moment. One at a time is looked at; ``turns`` says which first."""

    def __init__(self, in_force: InForce, moment: Moment, turns: int) -> None:
        replies = in_force.replies(moment.day)
        self._posted = tuple(
            Posted(
                reply,
                days_late(reply, moment.day, clock_sure=moment.clock_synced),
                number,
                total=len(replies),
            )
            for number, reply in enumerate(replies, start=1)
        )
        self._at = turns % max(1, len(replies))

    @property
    def looked_at(self) -> Posted | None:
        """The reply that is looked at, if there are any."""
        return self._posted[self._at] if self._posted else None

    def turn(self, by: int) -> bool:
        """Look at the reply so many further on; says whether there is one."""
        there = 0 <= self._at + by < len(self._posted)
        if there:
            self._at += by
        return there

    def answer(self, random: Random) -> Posted | None:
        """One of the answers, drawn at random, if there are any."""
        answers = [posted for posted in self._posted if isinstance(posted.reply, Answer)]
        return random.choice(answers) if answers else None
