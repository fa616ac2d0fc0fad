"""How long a site's year takes: 8,760 hours of weather, plant and sources."""

from __future__ import annotations

from typing import Any

import ampacity as amp


def test_site_year(benchmark: Any) -> None:
    """Prometheus, hour by hour, with its tree and breakers."""
    cluster = amp.cluster("prometheus")
    power = benchmark(amp.site_power, cluster)
    assert len(power.pue) == 8760
