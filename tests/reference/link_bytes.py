"""What simulated links carry, counted again from their columns: bytes that leave arrive, and stay nowhere in between."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp

# What a device does and waits for, by the first word of a column of seconds.
DOINGS = ("busy", "communication", "host", "wait")


def check_link_bytes(sim: amp.Simulation, *, rank_order: bool = True) -> None:
    """Assert that links carry what devices send and receive, and that switches keep nothing.

    With ``rank_order`` endpoints are the devices in order of their ranks; without, in any order.
    """
    links = sim.links
    sent, received = sim.devices["sent_bytes"], sim.devices["received_bytes"]
    assert sent.sum() > 0
    assert sent.sum() == pytest.approx(received.sum(), rel=1e-9)
    out = np.bincount(links["from_node"], links["bytes"])
    into = np.bincount(links["to_node"], links["bytes"], minlength=len(out))
    ends = slice(0, sent.size)
    order = (lambda column: column) if rank_order else np.sort
    np.testing.assert_allclose(order(out[ends]), order(sent), rtol=1e-9, atol=1)
    np.testing.assert_allclose(order(into[ends]), order(received), rtol=1e-9, atol=1)
    switches = slice(links.network.endpoints, len(out))
    np.testing.assert_allclose(into[switches], out[switches], rtol=1e-9, atol=1e-9 * out.max())


def check_seconds(sim: amp.Simulation) -> None:
    """Assert that a step is the sum of what each device does and waits for."""
    parts = [key for key in sim.devices if key.endswith("_s") and key.split("_")[0] in DOINGS]
    np.testing.assert_allclose(sum(sim.devices[key] for key in parts), sim.step_time_s, rtol=1e-9)
