// Between Python objects and the document tree. Nothing is validated here beyond "can this be a document at all".
#pragma once

#include <string>
#include <vector>

#include "pybind.hpp"

namespace ampacity::python {

/// The document that a Python object spells: None, bool, int, float, str, sequences, mappings, specifications, and
/// numpy scalars. Anything else is noted as a problem and becomes a null.
[[nodiscard]] Value to_value(py::handle object, const std::string& path, std::vector<Problem>& problems);

/// Adds the entries of a mapping to a table, replacing those of the same key.
void add_entries(Value& table, py::handle mapping, const std::string& path, std::vector<Problem>& problems);

/// Plain Python types; dictionaries keep the order of the table.
[[nodiscard]] py::object to_python(const Value& value);

/// `decode`, with the problems of the conversion before its own.
template <class Spec>
[[nodiscard]] Spec decode_checked(const Value& document, const Catalogue& catalogue, std::vector<Problem> problems) {
  if (problems.empty()) return decode<Spec>(document, catalogue);
  try {
    static_cast<void>(decode<Spec>(document, catalogue));
  } catch (const InvalidSpec& error) {
    const std::size_t converted = problems.size();
    for (const Problem& problem : error.problems()) {
      bool known = false;
      for (std::size_t i = 0; i < converted; ++i) known = known || problems[i].path == problem.path;
      if (!known) problems.push_back(problem);
    }
  }
  throw InvalidSpec(std::move(problems));
}

}  // namespace ampacity::python
