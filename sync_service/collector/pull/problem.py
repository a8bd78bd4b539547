"""What can go wrong with a pull, told in bodies of RFC 9457."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse

from sync_service.collector.error import CollectorError
from sync_service.contract import wire
from sync_service.contract.wire import PROBLEM_MEDIA_TYPE, ProblemKind

PROBLEMS: Final[Mapping[str, ProblemKind]] = {
    "no-token": ProblemKind(HTTPStatus.UNAUTHORIZED, "A token in force is needed"),
    "bad-parameter": ProblemKind(HTTPStatus.BAD_REQUEST, "A parameter can't be used"),
    "cursor-lost": ProblemKind(HTTPStatus.GONE, "The collector no longer knows the cursor's place"),
    **{code: wire.PROBLEMS[code] for code in ("not-found", "wrong-method", "internal", "busy")},
}
"""All problems of the pull API by their stable code. A retired code is never used again."""


class PullError(CollectorError):
    """A pull can't be granted; answer it with the problem ``code``, and ``detail``."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(code)


def tell_problem(
    code: str, detail: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The reply that tells of a problem."""
    kind = PROBLEMS[code]
    document: dict[str, object] = {
        "type": f"urn:regard:problem:{code}",
        "title": kind.title,
        "status": int(kind.status),
        "code": code,
    }
    if detail:
        document["detail"] = detail
    return JSONResponse(
        document, kind.status, headers=dict(headers or {}), media_type=PROBLEM_MEDIA_TYPE
    )
