from __future__ import annotations


class PyDrive:
    pass
