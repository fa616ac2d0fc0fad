// Documents to specifications and back. The only place where what a user says becomes what the library computes with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/error.hpp"
#include "ampacity/value.hpp"

namespace ampacity {

/// Reads a specification from a table: unknown keys, missing keys, wrong types, values out of range, unknown names and
/// contradictions are all collected before anything is thrown. A nested specification is a table, or the name of a
/// catalogue entry. Values may be tables of `value`, `source` and `confidence`.
/// \throws InvalidSpec with every problem, paths starting at `Spec::kind`.
template <class Spec>
[[nodiscard]] Spec decode(const Value& document, const Catalogue& catalogue = Catalogue::builtin());

/// The table that `decode` reads back to an equal specification.
template <class Spec>
[[nodiscard]] Value encode(const Spec& spec);

/// The names that are spelled most like `name`, nearest first (at most three; none where nothing is near).
[[nodiscard]] std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known);

/// `did you mean a, b or c?`, or an empty text.
[[nodiscard]] std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace ampacity
