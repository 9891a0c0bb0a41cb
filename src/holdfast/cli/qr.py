"""A link as a picture that a phone can read."""

from __future__ import annotations

import io

MAX_TEXT = 600
"""Characters that still fit a terminal of 24 lines by 80 columns at error level L."""


def qr_code(text: str) -> str:
    """Lines of half blocks, or '' when the text is too long to be of use."""
    if len(text) > MAX_TEXT:
        return ""
    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()
