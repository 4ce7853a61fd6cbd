"""The results in a JSON file: written after every value, so that nothing is lost when a run breaks off."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Results:
    """The results of the benchmarks by name; a new run of one replaces only that one.

    Args:
        path: the JSON file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.content: dict[str, Any] = {"benchmarks": {}}
        if path.exists():
            self.content = json.loads(path.read_text())

    def begin(self, name: str, load: float, quick: bool) -> None:
        """Forget the last run of a benchmark and note when this one began, and how busy the machine was then."""
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self.content["benchmarks"][name] = {"date": began, "load_before": round(load, 2), "quick": quick}
        self._save()

    def put(self, name: str, **values: Any) -> None:
        """Store values of a benchmark."""
        self.content["benchmarks"].setdefault(name, {}).update(values)
        self._save()

    def describe(self, **machine: Any) -> None:
        """Store what is true of the machine and the software."""
        self.content.setdefault("machine", {}).update(machine)
        self._save()

    def _save(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self.content, indent=1) + "\n")
        draft.replace(self._path)
