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

from __future__ import annotations

from typing import TYPE_CHECKING

from ampacity._batch import LayoutEstimates, estimate_layouts
from ampacity._bill_of_materials import BillItem, BillOfMaterials, bill_of_materials
from ampacity._calibrate.calibration import CalibratedFamily, Calibration, CalibrationError, calibrate
from ampacity._collective import collective
from ampacity._collective_flows import Collective, CollectiveResult, Communication
from ampacity._core import (
    Accelerator,
    Architecture,
    Bound,
    Breakdown,
    Candidate,
    Catalogue,
    Cluster,
    CollectiveEstimate,
    CollectiveOption,
    CriticalDevice,
    Error,
    Estimate,
    Explanation,
    Fabric,
    Grid,
    Infeasible,
    Interval,
    InvalidSpec,
    Layout,
    Memory,
    Model,
    Nic,
    Node,
    Optic,
    Partition,
    PipelineTimeline,
    Power,
    Problem,
    Provenance,
    Reliability,
    Run,
    SearchResult,
    Sensitivity,
    Site,
    Software,
    StageMemory,
    StepEnergy,
    Switch,
    Term,
    Training,
    UnknownName,
    Warning,
    __version__,
)
from ampacity._corrections import with_measured_kernels
from ampacity._devices import DeviceColumns, DeviceSlices, GroupColumns, PowerTrace
from ampacity._estimate import estimate, estimate_all, search
from ampacity._failure_study import FailureStudy, PatternStudy, TrafficResult, fail_links, with_bandwidth_ratio
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
from ampacity._memory_table import memory_table
from ampacity._network import Network
from ampacity._network_results import AffectedFlows, NetworkEvent, NetworkTier, Rates, Transfer
from ampacity._pipeline import pipeline_timeline
from ampacity._placement import parallel_groups, read_placement
from ampacity._simulate import Simulation, simulate
from ampacity._validation import Validation, ValidationRow, ValidationSummary, validate
from ampacity._variability import Variability

if TYPE_CHECKING:
    from types import ModuleType

    from ampacity import power
else:

    def __getattr__(name: str) -> ModuleType:
        """Import the submodules that a program uses, when it uses them."""
        if name == "power":
            import importlib

            return importlib.import_module("ampacity.power")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Accelerator",
    "AffectedFlows",
    "Architecture",
    "BillItem",
    "BillOfMaterials",
    "Bound",
    "Breakdown",
    "CalibratedFamily",
    "Calibration",
    "CalibrationError",
    "Candidate",
    "Catalogue",
    "Cluster",
    "Collective",
    "CollectiveEstimate",
    "CollectiveOption",
    "CollectiveResult",
    "Communication",
    "CriticalDevice",
    "DeviceColumns",
    "DeviceSlices",
    "Error",
    "Estimate",
    "Explanation",
    "Fabric",
    "FailureStudy",
    "Grid",
    "GroupColumns",
    "Infeasible",
    "Interval",
    "InvalidSpec",
    "KernelCost",
    "Layout",
    "LayoutEstimates",
    "MeasuredKernels",
    "Memory",
    "Model",
    "Network",
    "NetworkEvent",
    "NetworkTier",
    "Nic",
    "Node",
    "Optic",
    "Partition",
    "PatternStudy",
    "PipelineTimeline",
    "Power",
    "PowerTrace",
    "Problem",
    "Provenance",
    "Rates",
    "Reliability",
    "Run",
    "SearchResult",
    "Sensitivity",
    "Simulation",
    "Site",
    "Software",
    "StageMemory",
    "StepEnergy",
    "Switch",
    "Term",
    "TrafficResult",
    "Training",
    "Transfer",
    "UnknownName",
    "Validation",
    "ValidationRow",
    "ValidationSummary",
    "Variability",
    "Warning",
    "__version__",
    "accelerator",
    "architecture",
    "attention",
    "bill_of_materials",
    "calibrate",
    "cluster",
    "collective",
    "estimate",
    "estimate_all",
    "estimate_layouts",
    "fabric",
    "fail_links",
    "gemm",
    "grid",
    "load_catalogue",
    "measured_kernels",
    "memory_table",
    "model",
    "nic",
    "node",
    "optic",
    "parallel_groups",
    "pipeline_timeline",
    "power",
    "read_placement",
    "reliability",
    "search",
    "simulate",
    "site",
    "software",
    "streaming",
    "switch",
    "validate",
    "with_bandwidth_ratio",
    "with_measured_kernels",
]
