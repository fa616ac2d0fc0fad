#include "power/power_tree.hpp"

#include <algorithm>
#include <utility>

#include "power/network_power.hpp"
#include "power/node_power.hpp"

namespace ampacity::power {
namespace {

Watts3 times(double count, const Watts3& one) {
  return {count * one.mean, count * one.peak, count * one.nameplate};
}

double device_limit_w(const Node& node, const SitePowerOptions& options) {
  const double limit_w = node.accelerator.limit_w();
  return options.device_limit_w > 0 ? std::min(options.device_limit_w, limit_w) : limit_w;
}

double device_mean_w(const Node& node, const SitePowerOptions& options) {
  const double limit_w = device_limit_w(node, options);
  return std::min(options.device_mean_w > 0 ? options.device_mean_w : options.load_fraction * limit_w, limit_w);
}

/// Parts of one node, its supplies' loss and fans; what its rating has above its parts is a margin.
double add_node(const Node& node, const SitePowerOptions& options, double nodes, const std::string& where,
                std::int64_t rack, PowerTree& tree, RackGroup& group) {
  const double device_w[] = {device_mean_w(node, options), device_limit_w(node, options)};
  const auto count = static_cast<double>(node.accelerators);
  const auto cpus = static_cast<double>(node.cpus);
  const auto nics = static_cast<double>(node.nics);
  const double host_w = host_dc_w(node);
  const double full_dc_w = count * node.accelerator.tdp_w + host_w;

  const std::int64_t at = tree.add("node", where, rack, nodes);
  const auto part = [&](const char* name, double number, const Watts3& each) {
    tree.add("device", where + " " + name, at, nodes * number, times(nodes, times(number, each)));
  };
  const double cpu_w = node.cpu_w * node.cpu_load_fraction;
  part("accelerators", count, {device_w[0], device_w[1], node.accelerator.tdp_w});
  part("processors", cpus, {cpu_w, cpu_w, node.cpu_w});
  part("memory", 1, {node.dram_w, node.dram_w, node.dram_w});
  part("scale-up switches", 1, {node.scaleup_switch_w, node.scaleup_switch_w, node.scaleup_switch_w});
  part("network cards", nics, {node.nic.typical_w, node.nic.typical_w, node.nic.max_w});
  part("drives and boards", 1, {node.misc_w, node.misc_w, node.misc_w});

  double total_w[2];
  double loss_w[2];
  double fan_w[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const double dc_w = count * device_w[i] + host_w;
    loss_w[i] = dc_w / supply_efficiency(node, dc_w, full_dc_w) - dc_w;
    fan_w[i] = fans_w(node, device_w[i]);
    total_w[i] = dc_w + loss_w[i] + fan_w[i];
  }
  const double rated_dc_w = count * node.accelerator.tdp_w + cpus * node.cpu_w + node.dram_w + node.scaleup_switch_w +
                            nics * node.nic.max_w + node.misc_w;
  const double rated_loss_w = rated_dc_w / node.psu_efficiency_fraction - rated_dc_w;
  const double nameplate_w = node_nameplate_w(node);
  part("supply loss", 1, {loss_w[0], loss_w[1], rated_loss_w});
  part("fans", 1, {fan_w[0], fan_w[1], node.fan_w});
  part("margin of rating", 1, {0, 0, nameplate_w - rated_dc_w - rated_loss_w - node.fan_w});

  group = {nodes / node.nodes_per_rack, total_w[0] * node.nodes_per_rack, total_w[1] * node.nodes_per_rack,
           nameplate_w * node.nodes_per_rack};
  return nodes / node.nodes_per_rack;
}

}  // namespace

std::int64_t PowerTree::add(std::string level, std::string name, std::int64_t parent, double count,
                            const Watts3& watts) {
  items_.push_back({std::move(level), std::move(name), parent, count, watts.mean, watts.peak, watts.nameplate});
  return static_cast<std::int64_t>(items_.size()) - 1;
}

std::vector<PowerItem> PowerTree::summed() && {
  // Parents stand before their children.
  for (std::size_t i = items_.size(); i-- > 1;) {
    PowerItem& parent = items_[static_cast<std::size_t>(items_[i].parent)];
    parent.mean_w += items_[i].mean_w;
    parent.peak_w += items_[i].peak_w;
    parent.nameplate_w += items_[i].nameplate_w;
  }
  return std::move(items_);
}

void add_it(const Cluster& cluster, const SitePowerOptions& options, std::int64_t parent, PowerTree& tree,
            std::vector<RackGroup>& racks) {
  for (std::size_t i = 0; i < cluster.partitions.size(); ++i) {
    const Partition& partition = cluster.partitions[i];
    const double nodes = static_cast<double>(partition.accelerators) / static_cast<double>(partition.node.accelerators);
    const std::string where =
        partition.node.name + (cluster.partitions.size() > 1 ? " [" + std::to_string(i) + "]" : std::string{});
    const std::int64_t rack = tree.add("rack", "racks of " + where, parent, nodes / partition.node.nodes_per_rack);
    add_node(partition.node, options, nodes, where, rack, tree, racks.emplace_back());
  }
  const auto accelerators = static_cast<double>(cluster.accelerators());
  const NetworkPower network =
      network_power(cluster.fabric, cluster.accelerators(), cluster.partitions.front().node.accelerators);
  const double storage_w = accelerators * cluster.site.storage_w_per_accelerator;
  const Watts3 switches{accelerators * network.typical_w, accelerators * network.typical_w,
                        accelerators * network.nameplate_w};
  tree.add("network", "switches and optics", parent, 1, switches);
  tree.add("storage", "storage and management", parent, 1, {storage_w, storage_w, storage_w});
  const double rated_w = switches.nameplate + storage_w;
  if (rated_w <= 0) return;
  const double full = cluster.site.plant.auxiliary_rack_w / rated_w;  // one rack's share
  racks.push_back({1 / full, full * (switches.mean + storage_w), full * (switches.peak + storage_w), full * rated_w});
}

void add_plant(const PlantPower& mean, const PlantPower& peak, const PlantPower& nameplate, std::int64_t parent,
               PowerTree& tree) {
  const auto each = [&](const auto& of) { return Watts3{of(mean), of(peak), of(nameplate)}; };
  const std::int64_t conversion = tree.add("conversion", "conversion losses", parent, 1);
  tree.add("conversion", "busways", conversion, 1, each([](const PlantPower& p) { return p.conversion.busway_w; }));
  tree.add("conversion", "UPS", conversion, 1, each([](const PlantPower& p) { return p.conversion.ups_w; }));
  tree.add("conversion", "transformers", conversion, 1,
           each([](const PlantPower& p) { return p.conversion.transformer_w; }));
  tree.add("conversion", "substation", conversion, 1,
           each([](const PlantPower& p) { return p.conversion.substation_w; }));
  const std::int64_t cooling = tree.add("cooling", "cooling", parent, 1);
  const auto add_loop = [&](const char* name, LoopPower PlantPower::* loop) {
    const std::int64_t at = tree.add("cooling", std::string(name) + " loop", cooling, 1);
    const auto part = [&](const char* what, double LoopPower::* watts) {
      tree.add("cooling", std::string(name) + " " + what, at, 1,
               each([&](const PlantPower& p) { return p.*loop.*watts; }));
    };
    part("hall fans", &LoopPower::terminal_fans_w);
    part("pumps", &LoopPower::pumps_w);
    part("cooler fans", &LoopPower::rejection_fans_w);
    part("chillers", &LoopPower::chillers_w);
  };
  add_loop("air", &PlantPower::air);
  add_loop("liquid", &PlantPower::liquid);
  tree.add("other", "lights and offices", parent, 1, each([](const PlantPower& p) { return p.other_w; }));
}

}  // namespace ampacity::power
