"""Writes results as a whole or not at all."""

import os
from pathlib import Path


def write(path: str | Path, content: bytes) -> None:
    """Replace the file, and make its folder if need be.

    A run that is killed half way leaves no half file for a later step to pick up.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
