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
from ampacity._collective_links import CollectiveOnLinks
from ampacity._collective_links import on_links as collective_on_links
from ampacity._core import (
    Accelerator,
    Architecture,
    Bound,
    Breakdown,
    Candidate,
    Catalogue,
    Climate,
    ClimateMonth,
    Cluster,
    CollectiveEstimate,
    CollectiveOption,
    CoolingLoop,
    CriticalDevice,
    Error,
    Estimate,
    Explanation,
    Fabric,
    Generation,
    Grid,
    Infeasible,
    Interval,
    InvalidSpec,
    Layout,
    LineSystem,
    LoadPoint,
    Memory,
    Model,
    Nic,
    Node,
    Optic,
    Partition,
    PipelineTimeline,
    Plant,
    Power,
    PowerProfile,
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
    Supply,
    Switch,
    Term,
    Training,
    UnknownName,
    Warning,
    __version__,
    wet_bulb_c,
)
from ampacity._corrections import with_measured_kernels
from ampacity._devices import DeviceColumns, DeviceSlices, GroupColumns, PowerTrace
from ampacity._estimate import estimate, estimate_all, search
from ampacity._failure_study import FailureStudy, PatternStudy, TrafficResult, fail_links, with_bandwidth_ratio
from ampacity._files import load_catalogue
from ampacity._jobs import Jobs, simulate_jobs, starting_at
from ampacity._kernels import KernelCost, attention, gemm, streaming
from ampacity._links import LinkColumns, NetworkHealth
from ampacity._lookup import (
    accelerator,
    architecture,
    climate,
    cluster,
    fabric,
    grid,
    line_system,
    model,
    nic,
    node,
    optic,
    plant,
    power_profile,
    reliability,
    site,
    software,
    supply,
    switch,
)
from ampacity._measured import MeasuredKernels, measured_kernels
from ampacity._memory_table import memory_table
from ampacity._network import Network
from ampacity._network_results import AffectedFlows, NetworkEvent, NetworkTier, Rates, Transfer
from ampacity._pipeline import pipeline_timeline
from ampacity._placement import parallel_groups, read_placement
from ampacity._simulate import Simulation, simulate
from ampacity._site_power import BreakerLoading, PowerItem, SitePower, StaticBreakerLoad, SupplyMix, site_power
from ampacity._validation import Validation, ValidationRow, ValidationSummary, validate
from ampacity._variability import Variability
from ampacity._weather import Weather, read_weather, weather_year

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
    "BreakerLoading",
    "CalibratedFamily",
    "Calibration",
    "CalibrationError",
    "Candidate",
    "Catalogue",
    "Climate",
    "ClimateMonth",
    "Cluster",
    "Collective",
    "CollectiveEstimate",
    "CollectiveOnLinks",
    "CollectiveOption",
    "CollectiveResult",
    "Communication",
    "CoolingLoop",
    "CriticalDevice",
    "DeviceColumns",
    "DeviceSlices",
    "Error",
    "Estimate",
    "Explanation",
    "Fabric",
    "FailureStudy",
    "Generation",
    "Grid",
    "GroupColumns",
    "Infeasible",
    "Interval",
    "InvalidSpec",
    "Jobs",
    "KernelCost",
    "Layout",
    "LayoutEstimates",
    "LineSystem",
    "LinkColumns",
    "LoadPoint",
    "MeasuredKernels",
    "Memory",
    "Model",
    "Network",
    "NetworkEvent",
    "NetworkHealth",
    "NetworkTier",
    "Nic",
    "Node",
    "Optic",
    "Partition",
    "PatternStudy",
    "PipelineTimeline",
    "Plant",
    "Power",
    "PowerItem",
    "PowerProfile",
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
    "SitePower",
    "Software",
    "StageMemory",
    "StaticBreakerLoad",
    "StepEnergy",
    "Supply",
    "SupplyMix",
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
    "Weather",
    "__version__",
    "accelerator",
    "architecture",
    "attention",
    "bill_of_materials",
    "calibrate",
    "climate",
    "cluster",
    "collective",
    "collective_on_links",
    "estimate",
    "estimate_all",
    "estimate_layouts",
    "fabric",
    "fail_links",
    "gemm",
    "grid",
    "line_system",
    "load_catalogue",
    "measured_kernels",
    "memory_table",
    "model",
    "nic",
    "node",
    "optic",
    "parallel_groups",
    "pipeline_timeline",
    "plant",
    "power",
    "power_profile",
    "read_placement",
    "read_weather",
    "reliability",
    "search",
    "simulate",
    "simulate_jobs",
    "site",
    "site_power",
    "software",
    "starting_at",
    "streaming",
    "supply",
    "switch",
    "validate",
    "weather_year",
    "wet_bulb_c",
    "with_bandwidth_ratio",
    "with_measured_kernels",
]
