"""Which licence a text or a name means, and which licences may be trained on without asking."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

UNKNOWN: Final = "unknown"
FREE: Final = frozenset({"CC0", "Public Domain", "CC BY"})
"""Families that allow any use, at most with credit; the others need ``--allow-licence``."""

_URL = re.compile(r"creativecommons\.org/licenses/((?:by|nc|sa|nd)(?:-(?:nc|sa|nd))*)(?:/(\d\.\d))?", re.I)
_RESERVED = re.compile(r"all\s+rights\s+reserved", re.I)
_CLAIMED = re.compile(
    r"©|\(c\)|copyright\s+(?:by\b|\d{4})|not\s+(?:in\s+the\s+)?public\s+domain|non[\W_]*commercial|personal\s+use",
    re.I,
)
_NAME = re.compile(
    r"(?:creative commons|cc)[\W_]*(?:attribution|by)((?:[\W_]*(?:non[\W_]*commercial|share[\W_]*alike|"
    r"no[\W_]*deriv\w*|nc|sa|nd)(?![a-z]))*)(?:[\W_]*(?:international|unported))?[\s-]*(\d\.\d)?",
    re.I,
)


def identify(text: str) -> str:
    """The licence a licence file or a licence field names, such as "CC BY 4.0", or ``UNKNOWN``.

    Of several the one that allows least, whatever each is for. ``UNKNOWN`` where all rights are reserved, and
    where something (a copyright, a "not") speaks against nothing but the words "public domain". Only the
    first 3,000 characters count: long licences mention others further down.
    """
    head = text[:3000]
    if _RESERVED.search(head):
        return UNKNOWN
    found = [f"CC {match[1].upper()} {match[2] or ''}".strip() for match in _URL.finditer(head)]
    found += [_spell(match[1] or "", match[2] or "") for match in _NAME.finditer(head)]
    if re.search(r"(?<![a-z])cc[ -]?0(?![a-z\d]|\.\d)|publicdomain/zero", head, re.I):
        found.append("CC0 1.0")
    if not found and re.search(r"public\s+domain", head, re.I) and not _CLAIMED.search(head):
        return "Public Domain"
    return max(found, key=_limits, default=UNKNOWN)


def _limits(licence: str) -> tuple[bool, ...]:
    """What a licence forbids or asks for, the worst first: greater allows less. Last, whether a version."""
    return *(part in licence for part in ("NC", "ND", "SA", "BY")), licence != family(licence)


def _spell(limits: str, version: str) -> str:
    low = re.sub(r"[\W_]", "", limits.lower())
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
