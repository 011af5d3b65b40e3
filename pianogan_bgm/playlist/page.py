"""The web page of a playlist."""

from __future__ import annotations

from pathlib import Path

from pianogan_bgm.manifest import Manifest


def write_page(folder: Path, manifest: Manifest) -> None:
    """To come."""
