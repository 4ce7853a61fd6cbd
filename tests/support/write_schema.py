"""Writes `schema.sql` from a throwaway PostgreSQL, and the checksums of new migrations: `make schema`."""

import tempfile
import warnings
from pathlib import Path

from support import api_environment as environment
from support import schema


def main() -> None:
    """Write both files."""
    warnings.simplefilter("ignore")
    # Not below a folder that is closed to the account that PostgreSQL runs under.
    with tempfile.TemporaryDirectory(prefix="coinrequest-schema-") as folder:
        root = Path(folder)
        root.chmod(0o711)
        with environment.postgres(root / "stack") as url:
            environment.clear(environment.settings(root, url))
            with schema.database("head", "heads") as head:
                schema.DUMP.write_text(schema.dump(head))
    # One that was recorded stays, so that an edited migration fails its test.
    kept = {**schema.checksums(), **schema.recorded_checksums()}
    schema.CHECKSUMS.write_text("".join(f"{checksum}  {name}\n" for name, checksum in sorted(kept.items())))


if __name__ == "__main__":
    main()
