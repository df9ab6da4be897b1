"""A directory for what a run needs only while it lasts."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from parw2v.errors import CorpusError
from parw2v.files import process_lives


class ScratchDirectory:
    """Made beside the output, removed in the end.

    Its name carries the owner's process number, so the next run removes what a killed one left behind.
    """

    def __init__(self, parent: Path) -> None:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for left in parent.glob(".parw2v-*-*"):
                owner = left.name.split("-")[1]
                if owner.isdecimal() and not process_lives(int(owner)):
                    shutil.rmtree(left, ignore_errors=True)
            self.path = parent / f".parw2v-{os.getpid()}-{secrets.token_hex(4)}"
            try:
                self.path.mkdir(mode=0o700)
            except KeyboardInterrupt:  # it may have been made by then
                shutil.rmtree(self.path, ignore_errors=True)
                raise
        except OSError as error:
            raise CorpusError(
                f"{parent}: cannot be written ({error.strerror or error}); choose another --out"
            ) from error

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *exc: object) -> None:
        try:
            shutil.rmtree(self.path, ignore_errors=True)
        except KeyboardInterrupt:  # the run was about to end by itself
            shutil.rmtree(self.path, ignore_errors=True)
            raise
