"""Linear layers as serving engines run them, which is what the open aiconfigurator database (NVIDIA, Apache-2.0) times.

Families of devices are fitted to the products of TensorRT-LLM 1.3.0rc20. Its power rows are of other releases: for each
format that differs, how many times as long the arithmetic of a product takes there, and what quantising the activations
costs. bf16 and FP4 were told by rows of B200, of which those above 2,560 features out are vLLM's alone; FP8 of vLLM by the
rows of GB200 (CUTLASS products with a scale for each token and channel, in tiles that compute 64 tokens whatever they hold).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ampacity import _core
from ampacity._core import Accelerator

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


class Engine(NamedTuple):
    """A release: by format, (bytes moved per activation, seconds of extra kernels), and how much longer products take.

    And the tokens that a product computes at least.
    """

    quantise: Mapping[str, tuple[float, float]]
    slower: Mapping[str, float]
    fewest_tokens: Mapping[str, float] = MappingProxyType({})


# One value per format for all GPUs, fitted together with the families (`tools/fit_architectures.py`).
_QUANTISE = {"fp8": (7.5, 11e-6), "fp8-block": (3.4, 4e-6), "nvfp4": (4.4, 6e-6)}
TENSORRT_RC20 = Engine(_QUANTISE, {})
TENSORRT_RC15 = Engine(_QUANTISE, {"bf16": 1.3})  # and rc17
VLLM = Engine(  # 0.22.0
    {**_QUANTISE, "fp8": (7.5, 1e-6), "nvfp4": (3.0, 4e-6)}, {"bf16": 1.12, "fp8": 2.5}, {"fp8": 64.0}
)


def layer(
    device: Accelerator, precision: str, extents: tuple[Array, ...], engine: Engine = TENSORRT_RC20
) -> tuple[Array, Array]:
    """Return seconds and joules of layers of m, n, k and batch."""
    m, n, k, batch = extents
    slower = engine.slower.get(precision, 1.0)
    if slower != 1:
        family = device.architecture
        share = family.tensor_efficiency_fraction / slower
        device = device.replace(architecture=family.replace(tensor_efficiency_fraction=share))
    computed = (np.maximum(m, engine.fewest_tokens.get(precision, 0.0)), n, k, batch)
    if precision not in engine.quantise:
        return _core.gemm_costs(device, precision, *computed, False)
    per_element, launch_s = engine.quantise[precision]
    more_s, more_j = _core.streaming_costs(device, per_element * m * k * batch, 0 * m + 1.0)
    # A layer takes microseconds, the controller of the limit averages over milliseconds.
    return _core.layer_costs(device, precision, computed, more_s + launch_s, more_j + _core.active_w(device) * launch_s)
