#include "simulate/volumes.hpp"

#include <limits>

#include "step/data_parallel.hpp"
#include "workload/adapters.hpp"
#include "workload/stages.hpp"

namespace ampacity::simulation {
namespace {

network::Links one_byte_a_second(network::Links links) {
  constexpr double endless = std::numeric_limits<double>::infinity();
  links.scaleup_bytes_per_s = endless;
  if (links.torus.has_flows) links.scaleup_domain = 1;  // all that devices of a torus send is on links
  links.scaleup_multicast_bytes_per_s = 0;              // nothing inside a domain takes time, whoever does it
  links.scaleup_latency_s = links.scaleout_latency_s = links.launch_s = 0;
  links.scaleout_bytes_per_s = 1;
  links.paths = {};
  return links;
}

Training hiding_nothing(Training job) {
  Software& software = job.software;
  software.tp_overlap_fraction = software.ep_overlap_fraction = software.pp_overlap_fraction = 0;
  software.gradient_overlap = software.parameter_overlap = false;
  return job;
}

constexpr std::array<double step::PassTime::*, kExchanges> seconds_of{
    &step::PassTime::tp_comm_s, &step::PassTime::cp_comm_s, &step::PassTime::ep_comm_s, &step::PassTime::dp_comm_s};

}  // namespace

Volumes volumes_of(const Training& asked, const Layout& layout, const Accelerator& device,
                   const network::Links& asked_links, const Plan& plan) {
  const network::Links links = one_byte_a_second(asked_links);
  const Training job = hiding_nothing(asked);
  const workload::StageLayers stages = workload::stage_layers(job.model, layout);
  const step::PartTimes parts = step::part_times(job, layout, device, links);
  const auto batches = static_cast<double>(plan.micro_batches);
  const double through = batches / static_cast<double>(workload::stage_copies(layout));
  const auto losses = static_cast<double>(1 + job.model.mtp_layers);
  Volumes found;
  found.message = step::stage_transfers(job, layout, links, batches, 0).send_s;
  for (const workload::StageRun& run : stages) {
    const auto ranks = static_cast<std::size_t>(run.ranks);
    for (std::size_t kind = 0; kind < kExchanges; ++kind) {
      double step::PassTime::* const seconds = seconds_of[kind];
      double bytes = run.layers.dense * (parts.dense.forward.*seconds + parts.dense.backward.*seconds) +
                     run.layers.moe * (parts.moe.forward.*seconds + parts.moe.backward.*seconds);
      if (run.embedding) bytes += parts.embedding.*seconds;
      if (run.head) bytes += losses * (parts.head.*seconds);
      found.within[kind].insert(found.within[kind].end(), ranks, through * bytes);
    }
    const workload::StageParameters all =
        workload::trained_parameters(job, layout, run.layers, {run.embedding, run.head});
    const auto end_of = [&](const workload::StageParameters& parameters) {
      return step::data_parallel_comm(job, layout, links, parameters, run.layers.all(), {}).exposed_s;
    };
    found.ends.insert(found.ends.end(), ranks, end_of({all.shared, 0}));
    const bool apart = all.experts > 0 && layout.zero_stage < 3;
    found.expert_ends.insert(found.expert_ends.end(), ranks, apart ? end_of({0, all.experts}) : 0);
  }
  return found;
}

}  // namespace ampacity::simulation
