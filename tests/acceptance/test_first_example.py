"""The README's first example, registered as it is pasted."""

import re

from support.client import API
from support.documents import new_name
from support.platform import Platform

from coinrequest.stack.layout import project_root

DOWN = ["http://127.0.0.1:9/", "http://127.0.0.1:9/other"]


def test_it_fails_when_pages_are_down_and_tells_somebody(platform: Platform) -> None:
    readme = (project_root() / "README.md").read_text(encoding="utf-8")
    name = new_name("is-it-up")
    pasted = re.search(r"<<'YAML'\n(.*?)^YAML$", readme, re.DOTALL | re.MULTILINE)
    assert pasted is not None
    body = pasted[1].replace("name: is-it-up", f"name: {name}")
    answer = platform.op.post(f"{API}/job-types", data=body.encode(), headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    job = platform.finished(platform.submit(name, {"urls": DOWN}))
    assert job["state"] == "failed"
    assert re.match(r"Task 'test' \(item [12] of 2\) failed: http://127\.0\.0\.1:9/", job["error"]["message"])
    (notice,) = platform.notices(job["id"])
    assert notice["state"] in ("pending", "delivered")
    up = platform.submit(name, {"urls": [f"{platform.web.url}/"]})
    assert [one["passed"] for one in platform.succeeded(up)["result"]] == [True]
