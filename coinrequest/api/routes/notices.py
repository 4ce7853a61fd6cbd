"""Notices: list the messages that a job has ended, and deliver one again."""

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
    """The messages that the job has ended, each with every attempt to deliver it."""
    return NoticeList(notices=[notice_detail(root, notice) for notice in delivery_log.notices_of(session, id)])


@router.post(
    "/v1/notices/{id}/redeliver",
    status_code=202,
    summary="Deliver a notice again",
    responses={
        202: {"description": "Accepted; it is delivered within about a second"},
        **problems.documented(404, 422),
    },
)
def redeliver_notice(user: NoticeSubmitter, id: UUID, session: RequestSession, root: Root) -> NoticeDetail:
    """Deliver a notice again with the same id, whatever its state. It is retried for as long as a new one."""
    return notice_detail(root, delivery_log.redeliver(session, id, user.get_name()))
