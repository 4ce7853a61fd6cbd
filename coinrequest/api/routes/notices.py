"""Notices: who was told that a job ended, and tell them again."""

from uuid import UUID

from fastapi import APIRouter

from coinrequest.api import problems
from coinrequest.api.authentication import RequestSession
from coinrequest.api.notice_models import NoticeDetail, NoticeList, notice_detail
from coinrequest.api.parameters import Root
from coinrequest.api.rights import JobReader, NoticeSubmitter
from coinrequest.notices import delivery_log

router = APIRouter(tags=["Notices"])


@router.get("/v1/jobs/{id}/notices", summary="List a job's notices", responses=problems.documented(404, 422))
def list_notices(user: JobReader, id: UUID, session: RequestSession, root: Root) -> NoticeList:
    """The messages that are owed because the job ended, each with every attempt to deliver it."""
    return NoticeList(notices=[notice_detail(root, notice) for notice in delivery_log.notices_of(session, id)])


@router.post(
    "/v1/notices/{id}/redeliver",
    status_code=202,
    summary="Deliver a notice again",
    responses={202: {"description": "It is delivered within a second or so"}, **problems.documented(404, 422)},
)
def redeliver_notice(user: NoticeSubmitter, id: UUID, session: RequestSession, root: Root) -> NoticeDetail:
    """Let a notice go out again under the same id, in whichever state it is, and for as long as a new one."""
    return notice_detail(root, delivery_log.redeliver(session, id, user.get_name()))
