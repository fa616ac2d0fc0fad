"""Power over time, under limits, and what it allows: `ampacity.power`.

Imported when it is first used: ``import ampacity as amp; amp.power...`` needs no second import.
"""

from __future__ import annotations

__all__: list[str] = []
