"""The original URL test API: `add_job` and `get_jobs`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from coinrequest.api import problems
from coinrequest.api.authentication import RequestSession
from coinrequest.api.bodies import SubmissionDocument
from coinrequest.api.job_models import TestedUrl, UrlJobAccepted, job_links
from coinrequest.api.openapi import LOCATION, json_body
from coinrequest.api.parameters import Root
from coinrequest.api.request_models import UrlSubmission
from coinrequest.api.rights import UrlReader, UrlSubmitter
from coinrequest.errors import FieldError
from coinrequest.jobs import submission, url_tests
from coinrequest.jobs.submission_body import read_body
from coinrequest.jobtypes.errors import ParamsInvalid

router = APIRouter(prefix="/v1", tags=["URL tests"])

_LARGEST_OFFSET = 1_000_000


@router.post(
    "/add_job",
    status_code=202,
    summary="Test a URL",
    openapi_extra=json_body(UrlSubmission, {"url": "https://example.org"}),
    responses={202: {"description": "Accepted", "headers": LOCATION}, **problems.documented(404, 409, 413, 415, 422)},
)
def add_job(
    user: UrlSubmitter, document: SubmissionDocument, session: RequestSession, root: Root, response: Response
) -> UrlJobAccepted:
    """Start a job of the type `url-test`. It GETs the URL up to three times, until the status is below 400."""
    url = read_body(document, UrlSubmission).url
    if not url.strip():
        raise ParamsInvalid([FieldError("url", "must not be empty")])
    requested = submission.Submission(params={"url": url})
    try:
        job = submission.submit(session, url_tests.JOB_TYPE, requested, user=user.get_name()).job
    except ParamsInvalid as error:
        raise ParamsInvalid(
            FieldError(wrong.field.removeprefix("params."), wrong.message) for wrong in error.errors
        ) from error
    links = job_links(root, job)
    response.headers["Location"] = links.self
    return UrlJobAccepted(job_id=job.id, url=url, links=links)


@router.get("/get_jobs", summary="List the finished URL tests", responses=problems.documented(422))
def get_jobs(
    user: UrlReader,
    session: RequestSession,
    limit: Annotated[int, Query(ge=1, le=100, description="The most tests to return")] = 10,
    offset: Annotated[int, Query(ge=0, le=_LARGEST_OFFSET, description="How many of the newest to skip")] = 0,
) -> list[TestedUrl]:
    """The finished URL tests, the most recent first."""
    return [
        TestedUrl(time=test.time.isoformat(), url=test.url, result=test.result)
        for test in url_tests.done(session, limit=limit, offset=offset)
    ]
