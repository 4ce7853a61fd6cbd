"""The guide *Find and repeat failed jobs*: its commands, run as they stand, after a server was broken for a while."""

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.client import API
from support.platform import Platform

DOCS = Path(__file__).parents[2] / "docs" / "how-to"
GUIDE = (DOCS / "repeat-failed-jobs.md").read_text(encoding="utf-8")
FIND, RETRY, AGAIN = re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
(SIGN_IN,) = re.findall(
    r"^```bash\n\. \.stack/env.*?\n(.*?)^```$", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL
)


def shell(platform: Platform, *blocks: str) -> str:
    """Run commands of the guides as `op`; return what they printed."""
    op = platform.stack.credentials("op")
    since = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    script = "\n".join((SIGN_IN, *blocks)).replace("2026-03-01T08:00:00Z", since)
    sign_in = {"URL": platform.url, "USERNAME": op.username, "PASSWORD": op.password}
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, **{f"COINREQUEST_{name}": value for name, value in sign_in.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def orders(url: str) -> dict[str, Any]:
    return {
        "name": "orders",
        "params": {"properties": {"number": {"type": "integer"}}},
        "tasks": [{"id": "send", "action": "http.request", "inputs": {"url": f"{url}?order={{{{ params.number }}}}"}}],
    }


def test_failed_jobs_are_found_with_their_reason_and_repeated(platform: Platform) -> None:
    platform.register(orders(f"{platform.web.url}/status/500"))
    failed = [submitted(platform, number) for number in (1, 2)]
    assert {job["state"] for job in failed} == {"failed"}

    lines = shell(platform, FIND).splitlines()
    assert sorted(line.partition(" ")[0] for line in lines) == sorted(job["id"] for job in failed)
    assert all("500" in line for line in lines)

    # The retry keeps the revision, whose address is still broken.
    find = FIND.partition("\nfor job in")[0]
    shell(platform, find, RETRY)
    assert {ended(platform, job["id"])["state"] for job in failed} == {"failed"}

    platform.replace(orders(f"{platform.web.url}/status/200"))
    first = shell(platform, find, AGAIN)
    assert shell(platform, find, AGAIN).count('"id"') == first.count('"id"')
    for job in failed:
        (again,) = platform.op.json(f"{API}/jobs?label=repeats:{job['id']}")["jobs"]
        assert ended(platform, again["id"])["state"] == "success"
        assert again["params"] == job["params"]


def submitted(platform: Platform, number: int) -> dict[str, Any]:
    answer = platform.op.post(f"{API}/job-types/orders/jobs", json={"params": {"number": number}})
    assert answer.status_code == 202, answer.text
    return ended(platform, answer.json()["id"])


def ended(platform: Platform, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = platform.op.json(f"{API}/jobs/{job_id}?wait=60")
    return found
