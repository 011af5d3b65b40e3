"""A hook of MkDocs: roles of docstrings (:class:`~a.b.C`) become plain code, ``C``."""

from __future__ import annotations

import re
from typing import Any

ROLE = re.compile(r":(?:class|mod|func|meth|data|attr):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """The page without roles; a tilde stands for the last name alone, as in Sphinx."""
    return ROLE.sub(lambda found: f"<code>{found[2].rsplit('.')[-1] if found[1] else found[2]}</code>", html)
