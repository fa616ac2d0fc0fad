"""The C++ kernels of cpp/src/compute as Python functions of tables of shapes, compiled on the spot for fitting."""

from __future__ import annotations

import ctypes
import pathlib
import subprocess
import tempfile
import tomllib

import numpy as np
import pandas as pd

ROOT = pathlib.Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "python/ampacity/data"
DEVICE = [
    "fp32_flops_per_s",
    "tf32_flops_per_s",
    "bf16_flops_per_s",
    "fp8_flops_per_s",
    "fp4_flops_per_s",
    "memory_bytes_per_s",
    "sm_count",
    "tensor_clock_hz",
    "boost_clock_hz",
    "tdp_w",
    "idle_w",
]
WRAPPER = r"""
#include "compute/device.cpp"
#include "compute/gemm.cpp"
#include "compute/attention.cpp"
#include "compute/streaming.cpp"
using namespace ampacity;
using namespace ampacity::compute;
namespace {
Accelerator make(const double* d, const double* f) {
  Accelerator a;
  @DEVICE@
  @FAMILY@
  return a;
}
}  // namespace
extern "C" void amp_gemm(const double* d, const double* f, int precision, long n, const double* shape, double* out) {
  const Accelerator a = make(d, f);
  for (long i = 0; i < n; ++i) {
    const double* s = shape + 4 * i;
    const KernelCost c = gemm(a, static_cast<Precision>(precision), {s[0], s[1], s[2], 1, s[3] != 0});
    out[2 * i] = c.seconds, out[2 * i + 1] = c.joules;
  }
}
extern "C" void amp_attention(const double* d, const double* f, int backward, long n, const double* shape, double* out) {
  const Accelerator a = make(d, f);
  for (long i = 0; i < n; ++i) {
    const double* s = shape + 6 * i;
    const AttentionShape x{s[0], s[1], s[1], s[2], s[3], s[4], s[4], s[5]};
    const KernelCost c = backward ? flash_attention_backward(a, x) : flash_attention_forward(a, x);
    out[2 * i] = c.seconds, out[2 * i + 1] = c.joules;
  }
}
extern "C" void amp_stream(const double* d, const double* f, long n, const double* bytes, double* out) {
  const Accelerator a = make(d, f);
  for (long i = 0; i < n; ++i) {
    const KernelCost c = streaming(a, bytes[i], 0);
    out[2 * i] = c.seconds, out[2 * i + 1] = c.joules;
  }
}
"""
PRECISION = {"fp32": 0, "tf32": 1, "fp16": 2, "bf16": 3, "fp8": 4, "fp8_block": 5, "mxfp8": 6, "nvfp4": 7}
GPU = {
    "A100-80GB-SXM": "a100-sxm-80",
    "H100-80GB-SXM": "h100-sxm",
    "B200": "b200-sxm",
    "B200-SXM": "b200-sxm",
    "GB200": "gb200",
    "H800-SXM": "h800-sxm",
    "H200": "h200-sxm",
    "GH200": "gh200-96",
    "B300": "b300-sxm",
    "MI300X": "mi300x",
    "MI325X": "mi325x",
    "MI355X": "mi355x",
    "Gaudi2": "gaudi2",
    "Gaudi3": "gaudi3",
    "A100-80GB-PCIe": "a100-pcie",
}
# A100 PCIe: no catalogue file; data sheet: 1.935 TB/s and 300 W, else as SXM.
PCIE = {"memory_bytes_per_s": 1.935e12, "tdp_w": 300.0, "idle_w": 50.0}

# The serving engine's FP8 and FP4 layers quantise the activations inside the timed region: bytes moved per element of
# A and seconds of extra kernels, one value each for all GPUs. Not part of the model of a matrix product.
QUANTISE = {"fp8": [7.5, 11e-6], "fp8_block": [3.4, 4e-6], "nvfp4": [4.4, 6e-6]}
# The same engine's attention also applies RoPE and fills the KV cache first: reads and writes Q, K and V once.
PREPARE_S = 3e-6


def value(entry: object) -> object:
    return entry["value"] if isinstance(entry, dict) else entry


def load(kind: str, name: str) -> dict:
    text = (CATALOGUE / kind / f"{name}.toml").read_text()
    return {key: value(entry) for key, entry in tomllib.loads(text).items()}


def device(gpu: str) -> dict:
    return (
        {**load("accelerators", "a100-sxm-80"), **PCIE} if gpu == "A100-80GB-PCIe" else load("accelerators", GPU[gpu])
    )


def family_keys() -> list[str]:
    """Return the numbers that every family states; what only some state does not enter single kernels."""
    files = [load("architectures", path.stem) for path in sorted((CATALOGUE / "architectures").glob("*.toml"))]
    return [key for key, entry in files[0].items() if isinstance(entry, float) and all(key in file for file in files)]


class Kernels:
    """The C++ kernels, compiled here."""

    def __init__(self) -> None:
        self.keys = family_keys()
        made = {
            "@DEVICE@": "".join(f"a.{k} = static_cast<decltype(a.{k})>(d[{i}]); " for i, k in enumerate(DEVICE)),
            "@FAMILY@": "".join(f"a.architecture.{k} = f[{i}]; " for i, k in enumerate(self.keys)),
        }
        source = WRAPPER
        for mark, text in made.items():
            source = source.replace(mark, text)
        with tempfile.TemporaryDirectory() as folder:
            cpp, library = pathlib.Path(folder) / "kernels.cpp", pathlib.Path(folder) / "kernels.so"
            cpp.write_text(source)
            subprocess.run(
                [
                    "c++",
                    "-std=c++20",
                    "-O2",
                    "-shared",
                    "-fPIC",
                    f"-I{ROOT}/cpp/include",
                    f"-I{ROOT}/cpp/src",
                    str(cpp),
                    "-o",
                    str(library),
                ],
                check=True,
            )
            self.library = ctypes.CDLL(str(library))

    def _call(
        self, name: str, dev: dict, family: dict, head: tuple, shape: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        pointer = ctypes.POINTER(ctypes.c_double)
        d = np.array([dev.get(k, 0.0) for k in DEVICE], float)
        f = np.array([family[k] for k in self.keys], float)
        shape, out = np.ascontiguousarray(shape, float), np.empty((len(shape), 2))

        def as_pointer(a: np.ndarray) -> object:
            return a.ctypes.data_as(pointer)

        getattr(self.library, name)(
            as_pointer(d), as_pointer(f), *head, ctypes.c_long(len(shape)), as_pointer(shape), as_pointer(out)
        )
        return out[:, 0], out[:, 1]

    def gemm(self, dev: dict, family: dict, rows: pd.DataFrame, dtype: str, engine: bool) -> tuple:
        """Seconds and joules; `engine`: with the quantisation that the serving engine adds."""
        shape = np.column_stack([rows.m, rows.n, rows.k, rows.accumulate])
        seconds, joules = self._call("amp_gemm", dev, family, (PRECISION[dtype],), shape)
        if engine and dtype in QUANTISE:
            per_element, launch_s = QUANTISE[dtype]
            s, j = self._call("amp_stream", dev, family, (), per_element * rows.m.to_numpy() * rows.k.to_numpy())
            on_w = dev["idle_w"] + family["active_fraction"] * (dev["tdp_w"] - dev["idle_w"])
            seconds, joules = seconds + s + launch_s, joules + j + on_w * launch_s
        return seconds, joules

    def attention(self, dev: dict, family: dict, rows: pd.DataFrame) -> tuple:
        """Seconds and joules of the row's direction(s)."""
        kv = rows.kv_heads.fillna(rows.heads)
        seen = np.where(rows.causal == "yes", 0.5, 1.0)
        shape = np.column_stack([rows.batch, rows.seq, rows.heads, kv, rows.head_dim, seen])
        seconds, joules = self._call("amp_attention", dev, family, (0,), shape)
        if (rows.direction == "fwd+bwd").any():
            more = self._call("amp_attention", dev, family, (1,), shape)
            seconds, joules = seconds + more[0], joules + more[1]
        if (rows.source_id == "aiconfigurator").all():
            moved = 4 * rows.batch * rows.seq * rows.head_dim * (rows.heads + 2 * kv)
            seconds = seconds + self._call("amp_stream", dev, family, (), moved.to_numpy())[0] + PREPARE_S
        return seconds, joules
