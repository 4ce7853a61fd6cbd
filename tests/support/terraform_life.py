"""The life of one installation on an AWS that stands on loopback, lived beside other tests."""

import contextlib
import importlib.util
import shutil
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from support.fake_aws.server import FakeAws, fake_aws
from support.terraform import default_of
from support.terraform_installation import Installation, Removal, build, prepare, remove


@dataclass(frozen=True)
class Life:
    """The account, production in it, and its removal, one after the other. Reading a result waits for it.

    Attributes:
        aws: where.
        account: a copy of `terraform/` that has the backend's address.
        production: as it was built.
        removal: how it was taken down.
    """

    aws: FakeAws
    account: Future[Path]
    production: Future[Installation]
    removal: Future[Removal]

    @staticmethod
    def is_possible() -> bool:
        """Say whether the programs are there."""
        return shutil.which("terraform") is not None and importlib.util.find_spec("moto") is not None

    @staticmethod
    @contextlib.contextmanager
    def begin(folder: Path, asked: Collection[str]) -> "Iterator[Life]":
        """Begin in the background.

        Args:
            folder: an empty one.
            asked: for which results somebody will ask: account, production, removal.
        """
        pool = ThreadPoolExecutor(1)
        try:
            with fake_aws(default_of("machine_image")) as aws:
                account: Future[Path] = Future()
                production: Future[Installation] = Future()
                removal: Future[Removal] = Future()
                if "account" in asked:
                    account = pool.submit(prepare, aws, folder)
                if "production" in asked:
                    production = pool.submit(lambda: build(aws, account.result()))
                if "removal" in asked:
                    removal = pool.submit(lambda: remove(production.result()))
                yield Life(aws, account, production, removal)
        finally:
            # Without the server, what still runs ends with an error.
            pool.shutdown(cancel_futures=True)
