// The fields of every result, listed once for properties, repr, comparison, pickling and dictionaries.
#pragma once

#include <string_view>
#include <tuple>

#include "pybind.hpp"

namespace ampacity::python {

template <class Owner, class T>
struct Item {
  const char* key;
  T Owner::* member;
  const char* doc;
};
template <class Owner, class T>
Item(const char*, T Owner::*, const char*) -> Item<Owner, T>;

/// Specialised below: `items()` returns a tuple of `Item`.
template <class Result>
struct Described;

template <>
struct Described<Breakdown> {
  static constexpr auto items() {
    using R = Breakdown;
    return std::tuple{Item{"gemm_s", &R::gemm_s, "Matrix products, forward and backward (s)."},
                      Item{"attention_s", &R::attention_s, "Attention core, forward and backward (s)."},
                      Item{"memory_bound_s", &R::memory_bound_s, "Norms, activations, embedding, loss, casts (s)."},
                      Item{"recompute_s", &R::recompute_s, "Forward work done again in the backward pass (s)."},
                      Item{"launch_s", &R::launch_s, "The device waits for the host to launch kernels (s)."},
                      Item{"tp_comm_s", &R::tp_comm_s, "Exposed tensor-parallel communication (s)."},
                      Item{"cp_comm_s", &R::cp_comm_s, "Exposed context-parallel communication (s)."},
                      Item{"ep_comm_s", &R::ep_comm_s, "Exposed expert-parallel communication (s)."},
                      Item{"pp_comm_s", &R::pp_comm_s, "Exposed stage-to-stage transfers (s)."},
                      Item{"dp_comm_s", &R::dp_comm_s, "Exposed gradient reduction and weight gathering (s)."},
                      Item{"imbalance_s", &R::imbalance_s,
                           "Waiting for the device with most tokens of its experts, or most of a causal mask (s)."},
                      Item{"offload_s", &R::offload_s,
                           "Exposed transfers to and from host memory, and the optimizer on the host (s)."},
                      Item{"bubble_s", &R::bubble_s, "Pipeline fill and drain, and waiting for the slowest stage (s)."},
                      Item{"optimizer_s", &R::optimizer_s, "Optimizer step and gradient clipping (s)."},
                      Item{"straggler_s", &R::straggler_s, "Waiting for the slowest of the synchronous devices (s)."},
                      Item{"overhead_s", &R::overhead_s, "Fixed cost of a step in the software (s)."}};
  }
};

template <>
struct Described<Interval> {
  static constexpr auto items() {
    using R = Interval;
    return std::tuple{Item{"low_50_s", &R::low_50_s, "The step is faster than that with 25 % probability (s)."},
                      Item{"high_50_s", &R::high_50_s, "The step is slower than that with 25 % probability (s)."},
                      Item{"low_90_s", &R::low_90_s, "The step is faster than that with 5 % probability (s)."},
                      Item{"high_90_s", &R::high_90_s, "The step is slower than that with 5 % probability (s)."}};
  }
};

template <>
struct Described<Memory> {
  static constexpr auto items() {
    using R = Memory;
    return std::tuple{
        Item{"weights_bytes", &R::weights_bytes, "Weights, gathered ones included (bytes)."},
        Item{"gradients_bytes", &R::gradients_bytes, "Gradients (bytes)."},
        Item{"optimizer_bytes", &R::optimizer_bytes, "Optimizer state and master weights (bytes)."},
        Item{"activations_bytes", &R::activations_bytes,
             "Activations kept for the backward pass by all micro-batches in flight (bytes)."},
        Item{"other_bytes", &R::other_bytes, "Workspace, communication, context and fragmentation (bytes)."},
        Item{"capacity_bytes", &R::capacity_bytes, "What the device has (bytes)."},
        Item{"workspace_bytes", &R::workspace_bytes,
             "Beside them at the fullest moment: logits, gradients of activations, one recomputed layer (bytes)."},
        Item{"communication_bytes", &R::communication_bytes,
             "Gathered weights, buffers of collectives and of stage-to-stage transfers (bytes)."},
        Item{"context_bytes", &R::context_bytes,
             "Outside the framework's allocator: driver context, libraries, communicators (bytes)."},
        Item{"fragmentation_bytes", &R::fragmentation_bytes, "Held by the allocator and of no use (bytes)."}};
  }
};

template <>
struct Described<StageKind> {
  static constexpr auto items() {
    using R = StageKind;
    return std::tuple{Item{"fixed", &R::fixed, "Memory with nothing in flight."},
                      Item{"activations_per_micro_batch_bytes", &R::activations_per_micro_batch_bytes,
                           "What each micro-batch in flight adds (bytes)."},
                      Item{"layers", &R::layers, "Layers of the stage."},
                      Item{"first_stage", &R::first_stage, "The first of the neighbouring stages that are alike."}};
  }
};

template <>
struct Described<StageKinds> {
  static constexpr auto items() {
    using R = StageKinds;
    return std::tuple{Item{"kinds", &R::kinds, "Every kind, in the order of the pipeline."},
                      Item{"fragmentation_fraction", &R::fragmentation_fraction, "Of the tensors."}};
  }
};

template <>
struct Described<StageMemory> {
  static constexpr auto items() {
    using R = StageMemory;
    return std::tuple{Item{"stage", &R::stage, "Number of the stage, from 0: the one with the embedding."},
                      Item{"layers", &R::layers, "Layers of the stage."},
                      Item{"micro_batches_in_flight", &R::micro_batches_in_flight,
                           "Micro-batches whose activations it keeps at once, in units of all its layers."},
                      Item{"memory", &R::memory, "Memory of one of its devices."}};
  }
};

template <>
struct Described<StepEnergy> {
  static constexpr auto items() {
    using R = StepEnergy;
    return std::tuple{
        Item{"accelerators_j", &R::accelerators_j, "All accelerators (J)."},
        Item{"nodes_j", &R::nodes_j, "Hosts, network cards, fans, conversion in power supplies (J)."},
        Item{"network_j", &R::network_j, "Switches and optics (J)."},
        Item{"storage_j", &R::storage_j, "Storage and management (J)."},
        Item{"facility_j", &R::facility_j, "Cooling, conversion and everything else of the building (J)."}};
  }
};

template <>
struct Described<Power> {
  static constexpr auto items() {
    using R = Power;
    return std::tuple{Item{"gpu_mean_w", &R::gpu_mean_w, "One accelerator, mean over a step (W)."},
                      Item{"gpu_peak_w", &R::gpu_peak_w, "One accelerator in its hungriest phase (W)."},
                      Item{"gpu_min_w", &R::gpu_min_w, "One accelerator stalled (W)."},
                      Item{"it_mean_w", &R::it_mean_w, "All IT equipment of the job during training (W)."},
                      Item{"it_peak_w", &R::it_peak_w, "All IT equipment with every device at its power limit (W)."},
                      Item{"it_nameplate_w", &R::it_nameplate_w, "Sum of the ratings of all IT equipment (W)."},
                      Item{"facility_mean_w", &R::facility_mean_w, "At the meter, yearly mean cooling (W)."},
                      Item{"facility_peak_w", &R::facility_peak_w, "At the meter, hottest day (W)."},
                      Item{"swing_w", &R::swing_w, "IT power between all devices busy and all stalled (W)."}};
  }
};

template <>
struct Described<Run> {
  static constexpr auto items() {
    using R = Run;
    return std::tuple{Item{"tokens", &R::tokens, "Tokens of the run."},
                      Item{"steps", &R::steps, "Optimizer steps."},
                      Item{"mtbf_s", &R::mtbf_s, "Mean time between interruptions of the job (s)."},
                      Item{"checkpoint_interval_s", &R::checkpoint_interval_s, "Best time between checkpoints (s)."},
                      Item{"goodput_fraction", &R::goodput_fraction, "Share of the run spent on steps that count."},
                      Item{"duration_s", &R::duration_s, "Wall time of the run (s)."},
                      Item{"energy_j", &R::energy_j, "Energy at the meter (J)."},
                      Item{"carbon_kg", &R::carbon_kg, "Greenhouse gases of that energy (kg CO2e)."},
                      Item{"water_l", &R::water_l, "Water evaporated for cooling (litres)."},
                      Item{"energy_cost_usd", &R::energy_cost_usd, "Price of the energy (USD)."},
                      Item{"capex_usd", &R::capex_usd, "Price of the hardware and plant that the job uses (USD)."},
                      Item{"homes_equivalent", &R::homes_equivalent, "Average US homes with the same mean power."}};
  }
};

template <>
struct Described<Warning> {
  static constexpr auto items() {
    using R = Warning;
    return std::tuple{Item{"caveat", &R::caveat, "Short name of the caveat."},
                      Item{"value", &R::value, "The number that the caveat is about."},
                      Item{"limit", &R::limit, "What that number is compared with."},
                      Item{"field", &R::field, "The field that the caveat is about, where it is about one."}};
  }
};

template <>
struct Described<Estimate> {
  static constexpr auto items() {
    using R = Estimate;
    return std::tuple{
        Item{"model", &R::model, "Name of the model."},
        Item{"cluster", &R::cluster, "Name of the cluster."},
        Item{"accelerators", &R::accelerators, "Accelerators that the job runs on."},
        Item{"global_batch", &R::global_batch, "Sequences per step."},
        Item{"seq_len", &R::seq_len, "Tokens per sequence."},
        Item{"precision", &R::precision, "Format of matrix products."},
        Item{"layout", &R::layout, "The parallel layout."},
        Item{"step_time_s", &R::step_time_s, "Time of one training step (s)."},
        Item{"interval", &R::interval, "Where a measured step time would lie with 50 and 90 % probability (s)."},
        Item{"tokens_per_s", &R::tokens_per_s, "Tokens per second of the whole job, without interruptions."},
        Item{"model_flops_per_step", &R::model_flops_per_step,
             "FLOPs of the algorithm in one step: no recompute, causal attention counted once."},
        Item{"flops_per_s_per_accelerator", &R::flops_per_s_per_accelerator, "Those FLOPs per second and accelerator."},
        Item{"mfu_fraction", &R::mfu_fraction,
             "Model FLOPs utilisation: against the dense peak of the job's precision."},
        Item{"breakdown", &R::breakdown, "Where the seconds of a step go; they sum to ``step_time_s``."},
        Item{"memory", &R::memory, "Memory of the fullest device."},
        Item{"memory_kinds", &R::memory_kinds, "Memory of stages by kind; ``memory_stages`` is made of it."},
        Item{"power", &R::power, "Power of the accelerators that the job uses, with their share of the site."},
        Item{"run", &R::run, "The whole training run."},
        Item{"warnings", &R::warnings, "What the prediction does not model or is less sure of."}};
  }
};

template <>
struct Described<Candidate> {
  static constexpr auto items() {
    using R = Candidate;
    return std::tuple{Item{"layout", &R::layout, "The parallel layout."},
                      Item{"global_batch", &R::global_batch, "Sequences per step."},
                      Item{"step_time_s", &R::step_time_s, "Time of one training step (s)."},
                      Item{"tokens_per_s", &R::tokens_per_s, "Tokens per second of the whole job."},
                      Item{"memory_bytes", &R::memory_bytes, "Memory of the fullest device (bytes)."}};
  }
};

template <>
struct Described<SearchResult> {
  static constexpr auto items() {
    using R = SearchResult;
    return std::tuple{
        Item{"best", &R::best, "The fastest layout that fits in memory."},
        Item{"global_batch", &R::global_batch,
             "Sequences per step of the best layout; differs from the job's only where that cannot be split."},
        Item{"candidates", &R::candidates, "The fastest layouts that fit, fastest first."},
        Item{"evaluated", &R::evaluated, "Layouts that were evaluated."},
        Item{"fitting", &R::fitting, "Layouts among them that fit in memory."}};
  }
};

template <>
struct Described<Term> {
  static constexpr auto items() {
    using R = Term;
    return std::tuple{Item{"name", &R::name, "What the time is spent on."},
                      Item{"seconds", &R::seconds, "On the critical path (s)."},
                      Item{"hidden_s", &R::hidden_s, "Communication that runs behind compute, beside what shows (s)."},
                      Item{"parts", &R::parts, "What it is made of; the parts sum to it."}};
  }
};

template <>
struct Described<Bound> {
  static constexpr auto items() {
    using R = Bound;
    return std::tuple{Item{"text", &R::text, "The cause in words."}, Item{"seconds", &R::seconds, "Its time (s)."},
                      Item{"share_fraction", &R::share_fraction, "Its share of the step time."}};
  }
};

template <>
struct Described<Sensitivity> {
  static constexpr auto items() {
    using R = Sensitivity;
    return std::tuple{
        Item{"lever", &R::lever, "What is changed: arithmetic, memory-bandwidth, power-limit, ..."},
        Item{"elasticity", &R::elasticity, "Derivative of ln(step time) by ln(lever), from +-1 %."},
        Item{"change_fraction", &R::change_fraction, "The change tried: +0.1 of rates and limits, -0.1 of times."},
        Item{"faster_fraction", &R::faster_fraction, "Gain in speed that this change brings."}};
  }
};

template <>
struct Described<Provenance> {
  static constexpr auto items() {
    using R = Provenance;
    return std::tuple{Item{"parameter", &R::parameter, "Kind, name and field."},
                      Item{"value", &R::value, "The number, in the unit that ends the field's name."},
                      Item{"confidence", &R::confidence,
                           "measured, vendor, inferred; default or given where the catalogue does not say it."},
                      Item{"source", &R::source, "Where the number comes from."}};
  }
};

template <>
struct Described<Explanation> {
  static constexpr auto items() {
    using R = Explanation;
    return std::tuple{Item{"model", &R::model, "Name of the model."},
                      Item{"cluster", &R::cluster, "Name of the cluster."},
                      Item{"accelerators", &R::accelerators, "Accelerators that the job runs on."},
                      Item{"time", &R::time, "The step time as a tree."},
                      Item{"stage_imbalance_s", &R::stage_imbalance_s,
                           "Of that time, what a pipeline of equal stages would save (s)."},
                      Item{"bounds", &R::bounds, "Causes of the step time in words, longest first."},
                      Item{"sensitivities", &R::sensitivities, "What would help, most first."},
                      Item{"doubts", &R::doubts, "Terms that are extrapolated or not modelled."},
                      Item{"provenance", &R::provenance, "Where the parameters that matter come from."},
                      Item{"measured_fraction", &R::measured_fraction,
                           "Share of the step time that comes from measured kernels; see `with_measured_kernels`."},
                      Item{"measured_source", &R::measured_source, "Where those come from; empty without."}};
  }
};

}  // namespace ampacity::python
