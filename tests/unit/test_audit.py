"""`scripts/audit` calls only that clean which was looked up."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

AUDIT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "audit"))
FINE = {"name": "fine", "version": "1", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([FINE], "CLEAN", "no vulnerability is known of 1 packages"),
        ([FINE, BAD], "VULNERABLE", "bad 2: PYSEC-1, fixed in ['3']"),
        ([SKIPPED, BAD], "VULNERABLE", "bad 2"),
        ([FINE, SKIPPED], "UNKNOWN", "1 of 2 packages could not be looked up"),
        ([], "UNKNOWN", "0 of 0"),
    ],
)
def test_what_a_report_means(packages: list[Any], code: str, said: str) -> None:
    found, lines = AUDIT["judge"](json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found == AUDIT[code]
    assert said in "\n".join(lines)


@pytest.mark.parametrize("report", ["", "{", "[]", "{}", "null"])
def test_a_database_that_is_away_is_no_good_news(report: str) -> None:
    code, lines = AUDIT["judge"](report, "Traceback\nConnectionError: api.osv.dev cannot be resolved")
    assert code == AUDIT["UNKNOWN"] not in (AUDIT["CLEAN"], AUDIT["VULNERABLE"])
    assert "cannot be resolved" in "\n".join(lines)
