"""Predicts speed, network and power of AI superclusters before they are built.

Examples
--------
>>> import ampacity as amp
>>> job = amp.Training(amp.model("llama-3.1-8b"), global_batch=128, seq_len=8192, tokens=1e12)
>>> cluster = amp.cluster("dgx-h100-x1")
>>> est = amp.estimate(job, cluster)
>>> est.accelerators
8
>>> 0.2 < est.mfu_fraction < 0.7
True
"""

from ampacity._batch import LayoutEstimates, estimate_layouts
from ampacity._calibrate.calibration import CalibratedFamily, Calibration, CalibrationError, calibrate
from ampacity._core import (
    Accelerator,
    Architecture,
    Breakdown,
    Candidate,
    Catalogue,
    Cluster,
    Error,
    Estimate,
    Fabric,
    Grid,
    Infeasible,
    InvalidSpec,
    Layout,
    Memory,
    Model,
    Nic,
    Node,
    Optic,
    Partition,
    Power,
    Problem,
    Reliability,
    Run,
    SearchResult,
    Site,
    Software,
    Switch,
    Training,
    UnknownName,
    Warning,
    __version__,
)
from ampacity._estimate import estimate, estimate_all, search
from ampacity._files import load_catalogue
from ampacity._kernels import KernelCost, attention, gemm, streaming
from ampacity._lookup import (
    accelerator,
    architecture,
    cluster,
    fabric,
    grid,
    model,
    nic,
    node,
    optic,
    reliability,
    site,
    software,
    switch,
)
from ampacity._measured import MeasuredKernels, measured_kernels
from ampacity._network import Network, NetworkTier, Rates, Transfer
from ampacity._validation import Validation, ValidationRow, ValidationSummary, validate

__all__ = [
    "Accelerator",
    "Architecture",
    "Breakdown",
    "CalibratedFamily",
    "Calibration",
    "CalibrationError",
    "Candidate",
    "Catalogue",
    "Cluster",
    "Error",
    "Estimate",
    "Fabric",
    "Grid",
    "Infeasible",
    "InvalidSpec",
    "KernelCost",
    "Layout",
    "LayoutEstimates",
    "MeasuredKernels",
    "Memory",
    "Model",
    "Network",
    "NetworkTier",
    "Nic",
    "Node",
    "Optic",
    "Partition",
    "Power",
    "Problem",
    "Rates",
    "Reliability",
    "Run",
    "SearchResult",
    "Site",
    "Software",
    "Switch",
    "Training",
    "Transfer",
    "UnknownName",
    "Validation",
    "ValidationRow",
    "ValidationSummary",
    "Warning",
    "__version__",
    "accelerator",
    "architecture",
    "attention",
    "calibrate",
    "cluster",
    "estimate",
    "estimate_all",
    "estimate_layouts",
    "fabric",
    "gemm",
    "grid",
    "load_catalogue",
    "measured_kernels",
    "model",
    "nic",
    "node",
    "optic",
    "reliability",
    "search",
    "site",
    "software",
    "streaming",
    "switch",
    "validate",
]
