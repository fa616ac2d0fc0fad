#include "simulate/energy.hpp"

#include "power/network_power.hpp"

namespace ampacity::simulation {

StepEnergy energy_of(const Run& run) {
  const Cluster& cluster = run.cluster;
  const auto devices = static_cast<double>(run.places.devices());
  const power::NetworkPower network =
      power::network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  StepEnergy energy;
  energy.accelerators_j = run.joules;
  energy.network_j = devices * network.typical_w * run.step_time_s;
  energy.storage_j = devices * cluster.site.storage_w_per_accelerator * run.step_time_s;
  energy.nodes_j = run.power.it_mean_w * run.step_time_s - energy.accelerators_j - energy.network_j - energy.storage_j;
  energy.facility_j = (run.power.facility_mean_w - run.power.it_mean_w) * run.step_time_s;
  return energy;
}

}  // namespace ampacity::simulation
