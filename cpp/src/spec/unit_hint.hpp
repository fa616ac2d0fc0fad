// The unit that a field's name ends in, for messages.
#pragma once

#include <string>
#include <string_view>

namespace ampacity::spec {

/// What a number out of range most likely has wrong: `in watts: 0.7 kW are 700`. Empty for fields without a unit.
[[nodiscard]] std::string unit_hint(std::string_view key);

}  // namespace ampacity::spec
