"""Registers the built-in job types: `python -m coinrequest.install.built_in_types`.

They are data like any other job type. A type that a person has changed or deleted stays as it is; the others follow the
release.
"""

import logging
from pathlib import Path

from sqlalchemy.orm import Session

from coinrequest.airflow.session import airflow_session
from coinrequest.generator import lifecycle
from coinrequest.jobtypes import registry
from coinrequest.jobtypes.document import YAML_TYPES, load_document, yaml_text

log = logging.getLogger(__name__)

AUTHOR = "coinrequest"
_BUILT_IN = Path(__file__).parent / "job_types"


def register(session: Session) -> list[str]:
    """Register the types that are missing and update those that nobody has changed; return the names of both."""
    written = []
    for path in sorted(_BUILT_IN.glob("*.yaml")):
        sent = path.read_bytes()
        document, text = load_document(sent, YAML_TYPES[0]), yaml_text(sent, YAML_TYPES[0])
        found = registry.latest(session, path.stem)
        if found is not None and (found.deleted or found.author != AUTHOR):
            continue
        before = found.number if found else None
        revision, _created = lifecycle.replace_or_create(session, path.stem, document, author=AUTHOR, text=text)
        if revision.number != before:
            written.append(path.stem)
    return written


def main() -> None:
    """Register the types in the configured database."""
    with airflow_session() as session:
        written = register(session)
    log.info("Built-in job types written: %s", ", ".join(written) or "none")


if __name__ == "__main__":
    main()
