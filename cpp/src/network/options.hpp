// Every algorithm and protocol for a collective of a group: what it costs, or why there is none.
#pragma once

#include <vector>

#include "network/formulas.hpp"

namespace ampacity::network {

/// `chosen_from`: NCCL weighs it; otherwise it is taken only if asked for by name, or (unavailable) not at all.
enum class Standing { chosen_from, on_request, unavailable };

struct Option {
  Algorithm algorithm;
  Protocol protocol;
  Standing standing;
  const char* reason;  ///< empty for those chosen from
  Cost cost;
};

/// `in_network`: whether the fabric's switches can reduce.
[[nodiscard]] std::vector<Option> options_of(const Links& links, const CollectiveCall& call, bool in_network);

}  // namespace ampacity::network
