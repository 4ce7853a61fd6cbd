"""A rollback keeps what is around the image: the version before has to start with it (docs/how-to/release.md)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = ("docker-compose.yaml", "docker-compose.production.yaml", "terraform/roles.tf", "kubernetes/base/settings.env")


@pytest.mark.parametrize("name", FILES)
def test_no_setting_names_a_class_that_the_version_before_may_not_have(name: str) -> None:
    settings = re.findall(r"^\s*(AIRFLOW__\w+)\s*[:=]\s*(.*)$", (ROOT / name).read_text(), re.MULTILINE)
    assert settings
    assert [(setting, value) for setting, value in settings if re.search(r"\bcoinrequest(\.\w+)+", value)] == []
