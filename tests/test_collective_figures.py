"""Collectives over nodes and racks beside figures that operators print, and what must hold at any size.

No parameter is fitted to these figures but the ramp of large domains and what switches lose in a tree over domains, which
16 H100 and the racks of GB200 told (network/protocol.hpp).
"""

from __future__ import annotations

import pytest

import ampacity as amp
from ampacity._scoreboard.cluster import ad_hoc_cluster

MIB = 2**20
GIB = 2**30


def cluster(node: str, fabric: str, gpus: int) -> amp.Cluster:
    return ad_hoc_cluster(amp.node(node), amp.fabric(fabric), gpus)


@pytest.mark.parametrize(
    ("where", "operation", "size", "busbw", "within"),
    [
        # Eight nodes of H100 with 400 Gb/s (coreweave/nccl-tests README, whose job asks for SHARP and reaches what rings do):
        # 97 % of the line rate, where the catalogue's fabric has 93 %.
        (("dgx-h100", "infiniband-ndr", 64), "all_reduce", GIB // 2, 356.0, 0.13),
        (("dgx-h100", "infiniband-ndr", 64), "all_reduce", 8 * GIB, 386.6, 0.10),
        # Two and four nodes in virtual machines (NVIDIA/nccl-tests issue 309).
        (("dgx-h100", "infiniband-ndr", 16), "all_reduce", 16 * GIB, 470.0, 0.05),
        (("dgx-h100", "infiniband-ndr", 32), "all_reduce", 16 * GIB, 365.8, 0.05),
        # Four such nodes of another operator (AI@GT and Voltage Park): a sixth slower than these.
        (("dgx-h100", "infiniband-ndr", 32), "all_reduce", 8 * GIB, 330.9, 0.12),
        (("dgx-h100", "infiniband-ndr", 32), "all_gather", 8 * GIB, 323.5, 0.14),
        # Two nodes of A100 with 200 Gb/s, well set up virtual machines (MSCCL++, "NDmv4 performance", NCCL 2.17.1).
        (("dgx-a100", "infiniband-hdr", 16), "all_reduce", GIB, 183.8, 0.05),
        (("dgx-a100", "infiniband-hdr", 16), "all_reduce", 4 * GIB, 188.2, 0.05),
        (("dgx-a100", "infiniband-hdr", 16), "all_gather", GIB, 177.1, 0.05),
        (("dgx-a100", "infiniband-hdr", 16), "all_gather", 4 * GIB, 186.0, 0.05),
        (("dgx-a100", "infiniband-hdr", 16), "all_to_all", 4 * GIB, 37.8, 0.16),
        # One and two racks of GB200 NVL72 (coreweave/nccl-tests README, NCCL 2.26.2).
        (("gb200-nvl72", "infiniband-ndr", 72), "all_reduce", GIB // 2, 586.1, 0.19),
        (("gb200-nvl72", "infiniband-ndr", 72), "all_reduce", 8 * GIB, 834.6, 0.05),
        (("gb200-nvl72", "infiniband-ndr", 144), "all_reduce", GIB // 2, 493.9, 0.12),
        (("gb200-nvl72", "infiniband-ndr", 144), "all_reduce", 16 * GIB, 810.4, 0.03),
    ],
)
def test_figures_of_other_machines(
    where: tuple[str, str, int], operation: str, size: int, busbw: float, within: float
) -> None:
    """Software, settings and fabrics differ by 15 % between operators of the same hardware."""
    found = amp.collective(operation, cluster(*where), gpus=where[2], size=size)
    assert found.busbw_bytes_per_s == pytest.approx(busbw * 1e9, rel=within)


@pytest.mark.parametrize(
    ("cards", "rate", "algorithm", "busbw", "within"),
    [
        # Two A100 nodes. A channel of a tree carries 23.6 GB/s in NCCL's model: cards below that go faster by a tree
        # (NVIDIA/nccl issue 812, a maintainer in NVIDIA/nccl-tests issue 196), faster ones by a ring.
        (8, 12.5e9, "tree", None, None),
        (4, 12.5e9, "tree", None, None),
        (4, 25e9, "ring", 91.0, 0.05),  # NVIDIA/nccl-tests issue 100; 86 in NVIDIA/nccl issue 1048
        (8, 25e9, "ring", 183.8, 0.05),  # MSCCL++, NDmv4
    ],
)
def test_two_nodes_of_a100(cards: int, rate: float, algorithm: str, busbw: float | None, within: float | None) -> None:
    node = amp.node("hgx-a100-80").replace(nics=cards)
    fabric = amp.fabric("infiniband-hdr").replace(bytes_per_s_per_accelerator=rate * cards / 8)
    found = amp.collective("all_reduce", ad_hoc_cluster(node, fabric, 16), size=GIB)
    assert found.algorithm == algorithm
    if busbw is None:
        assert found.busbw_bytes_per_s > rate * cards  # more than cards carry in a ring
    else:
        assert found.busbw_bytes_per_s == pytest.approx(busbw * 1e9, rel=within)
    simple = next(o for o in found.alternatives if (o.algorithm, o.protocol) == ("tree", "simple"))
    assert simple.available
    assert ("line rate" in simple.reason) == (algorithm == "ring")


def test_the_choice_minds_line_rates_only() -> None:
    """Cards of 200 Gb/s that reach 16 of 25 GB/s: a tree would be faster, and is not what NCCL runs."""
    found = amp.collective("all_reduce", cluster("dgx-a100-40", "azure-nd-a100-v4", 16), size=GIB)
    times = {(o.algorithm, o.protocol): o.time_s for o in found.alternatives if o.available}
    assert found.algorithm == "ring"
    assert times["tree", "simple"] < found.time_s


def test_small_messages_over_many_nodes() -> None:
    """256 A100 on 32 nodes, 8 to 128 bytes: 62.9 to 65.5 us (NVIDIA/nccl issue 652); NCCL's own hop of 14 us holds."""
    fabric = amp.fabric("infiniband-hdr").replace(bytes_per_s_per_accelerator=12.5e9)
    nodes = ad_hoc_cluster(amp.node("dgx-a100-40"), fabric, 256)
    assert amp.collective("all_reduce", nodes, size=64).time_s == pytest.approx(64e-6, rel=0.08)


def test_many_racks_are_said_to_be_extrapolated() -> None:
    """1,440 GPUs of 20 racks reached 406 GB/s at 16 GiB (coreweave/nccl-tests README), half of what is reckoned."""
    found = amp.collective("all_reduce", cluster("gb200-nvl72", "infiniband-ndr", 1440), gpus=1440, size=16 * GIB)
    assert found.algorithm == "nvls-tree"
    assert 1.5 < found.busbw_bytes_per_s / 405.7e9 < 2.2
    assert any("20 racks" in warning for warning in found.warnings)


def test_switches_gather_for_at_most_32() -> None:
    """NCCL's switches reduce for a whole rack, but scatter and gather for up to 32 ranks (NCCL_MAX_NVLS_ARITY)."""
    rack = cluster("gb200-nvl72", "infiniband-ndr", 72)
    for gpus, available in ((32, True), (36, False), (72, False)):
        found = amp.collective("all_gather", rack, gpus=gpus, size=64 * MIB)
        option = next(o for o in found.alternatives if o.algorithm == "nvls")
        assert option.available == available
        assert available or "32 ranks" in option.reason
    assert amp.collective("all_reduce", rack, gpus=72, size=GIB).algorithm == "nvls"


@pytest.mark.parametrize("operation", ["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast"])
@pytest.mark.parametrize(
    ("node", "fabric", "counts"),
    [
        ("dgx-h100", "infiniband-ndr", [2, 4, 8, *(8 * 2**k for k in range(1, 11))]),
        ("dgx-b200", "infiniband-ndr", [2, 4, 8, *(8 * 2**k for k in range(1, 11))]),
        ("gb200-nvl72", "infiniband-xdr", [2, 8, 32, 72, 144, 216, 288, 576, 1152, 9216, 73728]),
    ],
)
def test_time_grows_with_bytes_and_with_ranks(operation: str, node: str, fabric: str, counts: list[int]) -> None:
    """Every algorithm alone and the fastest of them, from 8 to 8,192 H100 and to 1,024 racks; no jumps with size."""
    everything = cluster(node, fabric, counts[-1])
    smaller: dict[int, float] = {}
    for gpus in counts:
        last, alone = 0.0, dict[tuple[str, str], float]()
        for exponent in range(20, 70):
            size = int(2 ** (exponent / 2))
            found = amp.collective(operation, everything, gpus=gpus, size=size)
            assert found.time_s >= last
            assert last == 0 or found.time_s < 1.6 * last  # sizes are a factor of 1.41 apart
            last = found.time_s
            for option in found.alternatives:
                key = (option.algorithm, option.protocol)
                if option.available:
                    assert option.time_s >= alone.get(key, 0.0)
                    alone[key] = option.time_s
            # A larger group has more to wait for; algorithms may change, by which nothing gets faster.
            assert found.time_s >= smaller.get(exponent, 0.0) * (1 - 1e-9)
            smaller[exponent] = found.time_s
