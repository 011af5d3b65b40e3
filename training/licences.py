"""Which licence a text or a name means, and which licences may be trained on without asking."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

UNKNOWN: Final = "unknown"
FREE: Final = frozenset({"CC0", "Public Domain", "CC BY"})
"""Families that allow any use, at most with credit; the others need ``--allow-licence``."""

_URL = re.compile(r"creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)", re.I)
_NAME = re.compile(
    r"(?:creative commons|cc)[\s-]*(?:attribution|by)((?:[\s-]*(?:non-?commercial|share-?alike|"
    r"no-?deriv\w*|nc|sa|nd)\b)*)(?:[\s-]*(?:international|unported))?[\s-]*(\d\.\d)?",
    re.I,
)


def identify(text: str) -> str:
    """The licence a licence file or a licence field names, such as "CC BY 4.0", or ``UNKNOWN``.

    Only the first 3,000 characters count: long licences mention others further down.
    """
    head = text[:3000]
    if re.search(r"CC0|publicdomain/zero", head):
        return "CC0 1.0"
    if found := _URL.search(head):
        return f"CC {found[1].upper()} {found[2]}"
    if found := _NAME.search(head):
        return _spell(found[1] or "", found[2] or "")
    if re.search(r"public domain", head, re.I):
        return "Public Domain"
    return UNKNOWN


def _spell(limits: str, version: str) -> str:
    low = limits.lower().replace(" ", "").replace("-", "")
    name = "BY"
    for short, long in (("NC", "noncommercial"), ("SA", "sharealike"), ("ND", "noderiv")):
        if short.lower() in low or long in low:
            name += f"-{short}"
    return f"CC {name} {version}".strip()


def family(licence: str) -> str:
    """A licence without its version: "CC BY 4.0" is "CC BY"."""
    return re.sub(r"\s*\d\.\d$", "", licence)


def is_allowed(licence: str, also: Collection[str] = ()) -> bool:
    """Whether ``licence`` is free, or it or its family is among ``also`` (compared without case)."""
    wanted = {name.lower() for name in also}
    return family(licence) in FREE or bool({licence.lower(), family(licence).lower()} & wanted)


def url(licence: str) -> str:
    """Where the licence is explained, or an empty text."""
    if licence == "CC0 1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    if found := re.fullmatch(r"CC (BY\S*) (\d\.\d)", licence):
        return f"https://creativecommons.org/licenses/{found[1].lower()}/{found[2]}/"
    return ""
