from __future__ import annotations


class PySide:
    name = "py"
