#include "network/symmetry.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "base/random.hpp"

namespace ampacity::network {
namespace {

constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();
// From this share of flows in classes of their own on, refining further costs more than it can save.
constexpr std::size_t hopeless_divisor = 2;

/// Dense numbers for colours, in order of first appearance.
class Numbering {
 public:
  std::uint32_t number(std::uint64_t colour) {
    if (2 * (colours_.size() + 1) > slots_.size()) grow();
    for (std::size_t at = colour & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at] == nobody) {
        slots_[at] = static_cast<std::uint32_t>(colours_.size());
        colours_.push_back(colour);
        return slots_[at];
      }
      if (colours_[slots_[at]] == colour) return slots_[at];
    }
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(colours_.size()); }
  void clear() {
    for (const std::uint64_t colour : colours_) {
      std::size_t at = colour & (slots_.size() - 1);
      while (slots_[at] != nobody) {
        slots_[at] = nobody;
        at = (at + 1) & (slots_.size() - 1);
      }
    }
    colours_.clear();
  }

 private:
  void grow() {
    slots_.assign(std::max<std::size_t>(64, 2 * slots_.size()), nobody);
    for (std::uint32_t i = 0; i < colours_.size(); ++i) {
      std::size_t at = colours_[i] & (slots_.size() - 1);
      while (slots_[at] != nobody) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = i;
    }
  }

  std::vector<std::uint32_t> slots_;
  std::vector<std::uint64_t> colours_;
};

std::uint32_t number_all(Numbering& numbering, const std::vector<std::uint64_t>& colours,
                         std::vector<std::uint32_t>& numbers) {
  numbering.clear();
  numbers.resize(colours.size());
  for (std::size_t i = 0; i < colours.size(); ++i) numbers[i] = numbering.number(colours[i]);
  return numbering.size();
}

/// Links and groups learn which flows they have, flows what their links and groups have become.
void refine(const Paths& paths, const std::vector<std::uint32_t>& group_of, Colours& colours,
            std::vector<std::uint64_t>& sums) {
  const std::uint32_t flows = paths.flows();
  sums.assign(colours.link.size() + colours.group.size(), 0);
  std::uint64_t* const group_sums = sums.data() + colours.link.size();
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    const std::uint64_t colour = base::mixed(colours.flow[flow]);
    for (const std::uint32_t link : paths.of(flow)) sums[link] += colour;
    group_sums[group_of[flow]] += colour;
  }
  for (std::size_t link = 0; link < colours.link.size(); ++link) {
    colours.link[link] = base::mixed(base::mixed(colours.link[link]) ^ sums[link]);
  }
  for (std::size_t group = 0; group < colours.group.size(); ++group) {
    colours.group[group] = base::mixed(base::mixed(colours.group[group]) ^ group_sums[group]);
  }
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    std::uint64_t sum = base::mixed(colours.group[group_of[flow]] + 1);
    for (const std::uint32_t link : paths.of(flow)) sum += base::mixed(colours.link[link]);
    colours.flow[flow] = base::mixed(base::mixed(colours.flow[flow]) ^ sum);
  }
}

}  // namespace

Classes all_apart(const Paths& paths, const Colours& colours) {
  Classes classes;
  classes.flow.resize(paths.flows());
  classes.link.resize(colours.link.size());
  classes.group.resize(colours.group.size());
  std::iota(classes.flow.begin(), classes.flow.end(), 0U);
  std::iota(classes.link.begin(), classes.link.end(), 0U);
  std::iota(classes.group.begin(), classes.group.end(), 0U);
  classes.flows = paths.flows();
  classes.links = static_cast<std::uint32_t>(colours.link.size());
  classes.groups = static_cast<std::uint32_t>(colours.group.size());
  return classes;
}

Classes classes_of(const Paths& paths, const std::vector<std::uint32_t>& group_of, Colours colours) {
  Numbering numbering;
  std::vector<std::uint64_t> sums;
  Classes classes;
  classes.flows = number_all(numbering, colours.flow, classes.flow);
  // Each round splits classes or changes nothing; links and groups follow from the flows that they have.
  for (std::uint32_t before = 0; classes.flows != before;) {
    if (classes.flows > paths.flows() / hopeless_divisor) return all_apart(paths, colours);
    before = classes.flows;
    refine(paths, group_of, colours, sums);
    classes.flows = number_all(numbering, colours.flow, classes.flow);
  }
  classes.links = number_all(numbering, colours.link, classes.link);
  classes.groups = number_all(numbering, colours.group, classes.group);
  return classes;
}

Quotient quotient_of(const Paths& paths, const Classes& classes) {
  Quotient found;
  std::vector<double> members(classes.flows, 0);
  std::vector<double> links(classes.links, 0);
  found.first_flow.assign(classes.flows, nobody);
  found.first_link.assign(classes.links, nobody);
  for (std::uint32_t flow = 0; flow < paths.flows(); ++flow) {
    members[classes.flow[flow]] += 1;
    std::uint32_t& first = found.first_flow[classes.flow[flow]];
    if (first == nobody) first = flow;
  }
  for (std::uint32_t link = 0; link < classes.link.size(); ++link) {
    links[classes.link[link]] += 1;
    std::uint32_t& first = found.first_link[classes.link[link]];
    if (first == nobody) first = link;
  }
  std::vector<std::uint32_t> place(classes.links, nobody);  // of a class of links in the path at hand
  for (std::uint32_t flow_class = 0; flow_class < classes.flows; ++flow_class) {
    const std::size_t begin = found.paths.links.size();
    for (const std::uint32_t link : paths.of(found.first_flow[flow_class])) {
      const std::uint32_t link_class = classes.link[link];
      // Flows of this class on a link of that one: both count the same crossings.
      const double load = members[flow_class] / links[link_class];
      if (place[link_class] == nobody) {
        place[link_class] = static_cast<std::uint32_t>(found.paths.links.size());
        found.paths.links.push_back(link_class);
        found.paths.times.push_back(0);
      }
      found.paths.times[place[link_class]] += load;
    }
    for (std::size_t at = begin; at < found.paths.links.size(); ++at) place[found.paths.links[at]] = nobody;
    found.paths.offset.push_back(static_cast<std::uint32_t>(found.paths.links.size()));
  }
  return found;
}

}  // namespace ampacity::network
