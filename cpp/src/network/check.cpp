// What makes a network, and what makes flows on it: every problem is named.
#include <algorithm>
#include <cmath>
#include <string>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "network/plan.hpp"

namespace ampacity::network {
namespace {

using base::digits_text;

constexpr double most_endpoints = 16777216;  // 2^24
constexpr double most_links = 268435456;     // 2^28: 10 GB of solver state
constexpr std::size_t named_at_most = 10;
constexpr double latest_s = 1e9;
constexpr double largest_count = 9007199254740992;  // 2^53

class Problems {
 public:
  void add(std::string path, std::string value, std::string rule, std::string hint = {}) {
    found_.push_back({std::move(path), std::move(value), std::move(rule), std::move(hint)});
  }
  void count(const std::string& path, std::int64_t value, double most = 1e6) {
    if (value < 1 || static_cast<double>(value) > most) {
      add(path, std::to_string(value), "must be between 1 and " + digits_text(most));
    }
  }
  void rate(const std::string& path, double value) {
    if (!(value > 0) || value > 1e15) add(path, digits_text(value), "must be a rate above 0 and up to 1e15 bytes/s");
  }
  void seconds(const std::string& path, double value) {
    if (!(value >= 0) || value > 1) add(path, digits_text(value), "must be between 0 and 1 s");
  }
  void metres(const std::string& path, double value) {
    // Half way round the Earth.
    if (!(value >= 0) || value > 2e7) add(path, digits_text(value), "must be between 0 and 2e7 m");
  }
  [[nodiscard]] bool empty() const { return found_.empty(); }
  void raise() {
    if (!found_.empty()) throw InvalidSpec(std::move(found_));
  }

 private:
  std::vector<Problem> found_;
};

void check_size(Problems& problems, double endpoints, double links, const NetworkOptions& options) {
  if (endpoints < 2) problems.add("network", digits_text(endpoints) + " endpoints", "needs at least 2");
  if (endpoints > most_endpoints) {
    problems.add("network", digits_text(endpoints) + " endpoints", "must have at most " + digits_text(most_endpoints));
  }
  const double all = links * static_cast<double>(options.planes) + (options.domain > 1 ? 2 * endpoints : 0);
  if (all > most_links)
    problems.add("network", digits_text(all) + " links", "must have at most " + digits_text(most_links));
}

void check_options(Problems& problems, const NetworkOptions& options) {
  problems.seconds("hop_latency_s", options.hop_latency_s);
  problems.seconds("domain_latency_s", options.domain_latency_s);
  problems.count("planes", options.planes, 64);
  problems.count("domain", options.domain, most_endpoints);
  if (options.domain > 1) problems.rate("domain_bytes_per_s", options.domain_bytes_per_s);
}

/// Calls `problem(index)` for the first few indices that are bad.
template <class Bad, class Name>
void name_some(std::size_t count, const Bad& bad, const Name& name) {
  std::size_t named = 0;
  for (std::size_t i = 0; i < count && named < named_at_most; ++i) {
    if (bad(i)) {
      name(i);
      ++named;
    }
  }
}

}  // namespace

void check(const FatTree& shape, const NetworkOptions& options) {
  Problems problems;
  check_options(problems, options);
  const std::size_t tiers = shape.down.size();
  if (tiers < 1 || tiers > 6) problems.add("down", std::to_string(tiers) + " tiers", "must have 1 to 6 tiers");
  if (shape.up.size() != tiers) {
    problems.add("up", std::to_string(shape.up.size()) + " tiers",
                 "must have as many tiers as down (" + std::to_string(tiers) + ")");
  }
  if (shape.link_bytes_per_s.size() != 1 && shape.link_bytes_per_s.size() != tiers) {
    problems.add("link_bytes_per_s", std::to_string(shape.link_bytes_per_s.size()) + " rates",
                 "must be one rate, or one for each tier");
  }
  const auto at = [](const char* name, std::size_t i) { return std::string(name) + '[' + std::to_string(i) + ']'; };
  for (std::size_t i = 0; i < tiers; ++i) problems.count(at("down", i), shape.down[i]);
  for (std::size_t i = 0; i < shape.up.size(); ++i) problems.count(at("up", i), shape.up[i]);
  for (std::size_t i = 0; i < shape.link_bytes_per_s.size(); ++i) {
    problems.rate(at("link_bytes_per_s", i), shape.link_bytes_per_s[i]);
  }
  if (shape.cable_m.size() > 1 && shape.cable_m.size() != tiers) {
    problems.add("cable_m", std::to_string(shape.cable_m.size()) + " lengths",
                 "must be one length, or one for each tier");
  }
  for (std::size_t i = 0; i < shape.cable_m.size(); ++i) problems.metres(at("cable_m", i), shape.cable_m[i]);
  problems.count("rails", shape.rails, 1024);
  problems.raise();

  double endpoints = 1;
  for (const std::int64_t children : shape.down) endpoints *= static_cast<double>(children);
  double below = 1;
  double replicas = 1;
  double links = 0;
  for (std::size_t i = 0; i < tiers; ++i) {
    replicas *= static_cast<double>(shape.up[i]);
    links += 2 * endpoints / below * (replicas + 1);
    below *= static_cast<double>(shape.down[i]);
  }
  const bool apart = shape.rail_only && shape.rails > 1;
  if (apart) {
    endpoints *= static_cast<double>(shape.rails);
    links *= static_cast<double>(shape.rails);
    if (options.domain % shape.rails != 0) {
      problems.add("domain", std::to_string(options.domain),
                   "must be a multiple of rails (" + std::to_string(shape.rails) + ")",
                   "only a scale-up domain joins the rails of a rail-only network");
    }
  } else if (shape.rails > 1) {
    const double group = static_cast<double>(shape.down[0]) * static_cast<double>(shape.rails);
    if (std::fmod(endpoints, group) != 0) {
      problems.add("rails", std::to_string(shape.rails),
                   "times down[0] must divide the " + digits_text(endpoints) + " endpoints");
    }
  }
  check_size(problems, endpoints, links, options);
  problems.raise();
}

void check(const Torus& shape, const NetworkOptions& options) {
  Problems problems;
  check_options(problems, options);
  if (shape.shape.empty() || shape.shape.size() > 6) {
    problems.add("shape", std::to_string(shape.shape.size()) + " dimensions", "must have 1 to 6 dimensions");
  }
  for (std::size_t i = 0; i < shape.shape.size(); ++i) {
    problems.count("shape[" + std::to_string(i) + ']', shape.shape[i]);
  }
  problems.rate("link_bytes_per_s", shape.link_bytes_per_s);
  problems.raise();
  double endpoints = 1;
  for (const std::int64_t side : shape.shape) endpoints *= static_cast<double>(side);
  check_size(problems, endpoints, endpoints * 2 * static_cast<double>(shape.shape.size()), options);
  problems.raise();
}

void check(const Dragonfly& shape, const NetworkOptions& options) {
  Problems problems;
  check_options(problems, options);
  problems.count("groups", shape.groups);
  problems.count("switches_per_group", shape.switches_per_group);
  problems.count("endpoints_per_switch", shape.endpoints_per_switch);
  problems.count("global_links", shape.global_links);
  problems.rate("endpoint_bytes_per_s", shape.endpoint_bytes_per_s);
  problems.rate("local_bytes_per_s", shape.local_bytes_per_s);
  problems.rate("global_bytes_per_s", shape.global_bytes_per_s);
  problems.raise();
  const auto groups = static_cast<double>(shape.groups);
  const auto switches = static_cast<double>(shape.switches_per_group);
  const double endpoints = groups * switches * static_cast<double>(shape.endpoints_per_switch);
  const double links =
      2 * endpoints + groups * switches * switches + groups * groups * static_cast<double>(shape.global_links);
  check_size(problems, endpoints, links, options);
  problems.raise();
}

void check(std::span<const Dimension> shape) {
  Problems problems;
  if (shape.empty() || shape.size() > 6) {
    problems.add("dimensions", std::to_string(shape.size()), "must be 1 to 6");
  }
  double endpoints = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::string path = "dimensions[" + std::to_string(d) + "].";
    problems.count(path + "endpoints", shape[d].endpoints);
    problems.rate(path + "link_bytes_per_s", shape[d].link_bytes_per_s);
    problems.seconds(path + "hop_latency_s", shape[d].hop_latency_s);
    endpoints *= static_cast<double>(shape[d].endpoints);
  }
  problems.raise();
  double links = 0;
  for (const Dimension& one : shape) {
    links += endpoints * (one.kind == Dimension::Kind::all_joined ? static_cast<double>(one.endpoints) : 2);
  }
  check_size(problems, endpoints, links, {});
  problems.raise();
}

void check(const DragonflyPlus& shape, const NetworkOptions& options) {
  Problems problems;
  check_options(problems, options);
  problems.count("groups", shape.groups);
  problems.count("leaves", shape.leaves);
  problems.count("spines", shape.spines);
  problems.count("endpoints_per_leaf", shape.endpoints_per_leaf);
  problems.count("global_links", shape.global_links);
  problems.rate("endpoint_bytes_per_s", shape.endpoint_bytes_per_s);
  problems.rate("local_bytes_per_s", shape.local_bytes_per_s);
  problems.rate("global_bytes_per_s", shape.global_bytes_per_s);
  problems.metres("global_m", shape.global_m);
  problems.raise();
  const auto groups = static_cast<double>(shape.groups);
  const double leaves = groups * static_cast<double>(shape.leaves);
  const double endpoints = leaves * static_cast<double>(shape.endpoints_per_leaf);
  const double links = 2 * (endpoints + leaves * static_cast<double>(shape.spines)) +
                       groups * groups * static_cast<double>(shape.global_links);
  check_size(problems, endpoints, links, options);
  problems.raise();
}

void check(const Network::Plan& plan, const Flows& flows, const FlowRules& rules, bool timed) {
  Problems problems;
  problems.count("queue_pairs", rules.queue_pairs, 1024);
  if (!(rules.flowlet_bytes >= 1) || rules.flowlet_bytes > largest_count) {
    problems.add("flowlet_bytes", digits_text(rules.flowlet_bytes),
                 "must be between 1 and " + digits_text(largest_count));
  }
  if (!(rules.batch_fraction >= 0) || rules.batch_fraction > 0.5) {
    problems.add("batch_fraction", digits_text(rules.batch_fraction), "must be between 0 and 0.5");
  }
  const std::size_t count = flows.source.size();
  const auto same_length = [&](const char* name, std::size_t length) {
    if (length != count)
      problems.add(name, std::to_string(length) + " values",
                   "must have as many values as source (" + std::to_string(count) + ")");
  };
  same_length("destination", flows.destination.size());
  if (timed) {
    same_length("bytes", flows.bytes.size());
    same_length("start_s", flows.start_s.size());
  }
  if (!flows.weight.empty()) same_length("weight", flows.weight.size());
  if (!flows.max_bytes_per_s.empty()) same_length("max_bytes_per_s", flows.max_bytes_per_s.size());
  problems.raise();
  const auto endpoints = static_cast<std::int64_t>(plan.endpoints());
  const std::string rule = "must be an endpoint, 0 to " + std::to_string(endpoints - 1);
  const auto check_ids = [&](const char* name, std::span<const std::int64_t> ids) {
    name_some(
        count, [&](std::size_t i) { return ids[i] < 0 || ids[i] >= endpoints; },
        [&](std::size_t i) {
          problems.add(std::string(name) + '[' + std::to_string(i) + ']', std::to_string(ids[i]), rule);
        });
  };
  const auto check_amounts = [&](const char* name, std::span<const double> amounts, double most) {
    name_some(
        count, [&](std::size_t i) { return !(amounts[i] >= 0) || amounts[i] > most; },
        [&](std::size_t i) {
          problems.add(std::string(name) + '[' + std::to_string(i) + ']', digits_text(amounts[i]),
                       "must be between 0 and " + digits_text(most));
        });
  };
  // Shares are quotients of weights: beyond these bounds their sums would lose the small ones.
  name_some(
      flows.weight.size(), [&](std::size_t i) { return !(flows.weight[i] >= 1e-6) || flows.weight[i] > 1e6; },
      [&](std::size_t i) {
        problems.add("weight[" + std::to_string(i) + ']', digits_text(flows.weight[i]),
                     "must be between 1e-06 and 1e+06");
      });
  name_some(
      flows.max_bytes_per_s.size(), [&](std::size_t i) { return !(flows.max_bytes_per_s[i] > 0); },
      [&](std::size_t i) {
        problems.add("max_bytes_per_s[" + std::to_string(i) + ']', digits_text(flows.max_bytes_per_s[i]),
                     "must be a rate above 0, infinite for no limit");
      });
  check_ids("source", flows.source);
  check_ids("destination", flows.destination);
  if (timed) {
    check_amounts("bytes", flows.bytes, largest_count);
    check_amounts("start_s", flows.start_s, latest_s);
  }
  if (static_cast<double>(count) * static_cast<double>(rules.queue_pairs) > most_links) {
    problems.add("source", digits_text(static_cast<double>(count)) + " flows",
                 "must be at most " + digits_text(most_links) + " with their queue pairs");
  }
  problems.raise();
}

void check_link(const Network::Plan& plan, std::int64_t link) {
  check_links(plan, {&link, 1}, 1);
}

namespace {

void check_ids(const char* name, const char* what, std::span<const std::int64_t> ids, std::int64_t count,
               double fraction) {
  Problems problems;
  if (!(fraction >= 0) || fraction > 1) problems.add("fraction", digits_text(fraction), "must be between 0 and 1");
  const std::string rule = count == 0 ? "must be a switch; this network has none"
                                      : "must be a " + std::string(what) + ", 0 to " + std::to_string(count - 1);
  name_some(
      ids.size(), [&](std::size_t i) { return ids[i] < 0 || ids[i] >= count; },
      [&](std::size_t i) {
        problems.add(std::string(name) + '[' + std::to_string(i) + ']', std::to_string(ids[i]), rule);
      });
  problems.raise();
}

}  // namespace

void check_links(const Network::Plan& plan, std::span<const std::int64_t> links, double fraction) {
  check_ids("links", "link", links, plan.visible_links(), fraction);
}

void check_switches(const Network::Plan& plan, std::span<const std::int64_t> switches, double fraction) {
  check_ids("switches", "switch", switches, plan.switches(), fraction);
}

void check_tier(const Network::Plan& plan, std::int64_t tier, double fraction) {
  Problems problems;
  const auto tiers = static_cast<std::int64_t>(plan.wiring->tiers().size()) + (plan.options.domain > 1 ? 1 : 0);
  if (tier < 0 || tier >= tiers) {
    problems.add("tier", std::to_string(tier), "must be a tier, 0 to " + std::to_string(tiers - 1));
  }
  if (!(fraction >= 0) || fraction > 1) problems.add("fraction", digits_text(fraction), "must be between 0 and 1");
  problems.raise();
}

void check_events(const Network::Plan& plan, std::span<const NetworkEvent> events) {
  Problems problems;
  const auto path = [](std::size_t i, const char* field) { return "events[" + std::to_string(i) + "]." + field; };
  const auto bad = [&](std::size_t i) {
    const NetworkEvent& event = events[i];
    const std::int64_t count = event.part == NetworkEvent::Part::link ? plan.visible_links() : plan.switches();
    const bool absent = event.id < 0 || event.id >= count;
    return absent || !(event.at_s >= 0) || event.at_s > latest_s || !(event.fraction >= 0) || event.fraction > 1;
  };
  name_some(events.size(), bad, [&](std::size_t i) {
    const NetworkEvent& event = events[i];
    const bool is_link = event.part == NetworkEvent::Part::link;
    const std::int64_t count = is_link ? plan.visible_links() : plan.switches();
    if (event.id < 0 || event.id >= count) {
      problems.add(path(i, is_link ? "link" : "switch"), std::to_string(event.id),
                   count == 0 ? "this network has no switches" : "must be between 0 and " + std::to_string(count - 1));
    }
    if (!(event.at_s >= 0) || event.at_s > latest_s) {
      problems.add(path(i, "at_s"), digits_text(event.at_s), "must be between 0 and " + digits_text(latest_s));
    }
    if (!(event.fraction >= 0) || event.fraction > 1) {
      problems.add(path(i, "fraction"), digits_text(event.fraction), "must be between 0 and 1");
    }
  });
  problems.raise();
}

}  // namespace ampacity::network
