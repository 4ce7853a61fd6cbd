"""docs/how-to/aws-alarms.md and the alarms in terraform/modules/observability are the same. Needs no Terraform."""

import re

import pytest

from coinrequest.stack.layout import project_root

pytestmark = pytest.mark.aws

PAGE = project_root() / "docs" / "how-to" / "aws-alarms.md"
MODULE = project_root() / "terraform" / "modules" / "observability"
_ALARM = re.compile(r'^ +(?:"\$\{role\}-)?([a-z0-9-]+)"? += (?:merge\([^{]*)?\{\n +description', re.MULTILINE)
_ROW = re.compile(r"^\| `([A-Za-z0-9-]+)` \|", re.MULTILINE)


def _alarms(file: str) -> set[str]:
    return set(_ALARM.findall((MODULE / file).read_text(encoding="utf-8")))


def test_each_alarm_has_a_row_and_each_row_an_alarm() -> None:
    data = _alarms("alarms_data.tf")
    expected = {
        *_alarms("alarms_traffic.tf"),
        *_alarms("alarms_jobs.tf"),
        *(name for name in data if name.startswith("database-")),
        *(f"redis-{name}-N" for name in data if not name.startswith("database-")),
        "ROLE-instances",
        "ROLE-credits",
    }
    assert len(expected) == 27
    assert set(_ROW.findall(PAGE.read_text(encoding="utf-8"))) == expected


def test_every_metric_that_an_alarm_watches_is_written_by_gateways() -> None:
    written = (project_root() / "coinrequest" / "metrics" / "cloudwatch.py").read_text(encoding="utf-8")
    watched = re.findall(r'metric += "(\w+)"', (MODULE / "alarms_jobs.tf").read_text(encoding="utf-8"))
    assert len(watched) == 8
    assert [name for name in watched if f'"{name}"' not in written] == []
