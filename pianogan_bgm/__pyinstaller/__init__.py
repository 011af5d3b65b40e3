"""For PyInstaller, which finds this through the entry point ``pyinstaller40``; nothing else imports it."""

from __future__ import annotations

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Folders of hooks: this one."""
    return [str(Path(__file__).parent)]
