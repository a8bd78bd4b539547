"""The manners of a kiosk: how patient it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Manners:
    """How patient the kiosk is; all in seconds.

    ``settle_s``: how long a new screen ignores taps that were meant for the one before.
    ``idle_timeout_s``: without a touch, the respondent may have walked away, and is asked.
    ``warning_s``: how long it waits to be told that somebody is there.
    ``pause_s``: how long the screen must be left alone after a palm or a wiping hand.
    ``thanks_s``, ``invitation_s``: how long thanks stand, alone and with an invitation.
    ``verdict_s``: how long it waits for a verdict on a reply.
    ``saving_shown_after_s``: a commit that is quicker than this is not worth a word.
    ``posted_s``: how long an idle kiosk shows one of several replies.
    """

    settle_s: float = 0.35
    idle_timeout_s: float = 30.0
    warning_s: float = 20.0
    pause_s: float = 3.0
    thanks_s: float = 6.0
    invitation_s: float = 25.0
    verdict_s: float = 20.0
    saving_shown_after_s: float = 0.5
    posted_s: float = 600.0
