#include "bind_spec.hpp"

namespace ampacity::python {

py::dict named_arguments(const std::vector<std::string>& keys, const py::args& args, const py::dict& kwargs,
                         std::size_t positional) {
  if (args.size() > positional) {
    throw py::type_error("takes " + std::to_string(positional) + " positional argument(s) but " +
                         std::to_string(args.size()) + " were given; name the others");
  }
  py::dict named;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (kwargs.contains(keys[i])) throw py::type_error("got two values for '" + keys[i] + "'");
    named[py::str(keys[i])] = args[i];
  }
  for (const auto& [key, value] : kwargs) named[key] = value;
  return named;
}

std::size_t mixed_hash(std::size_t seed, std::size_t hash) {
  return seed ^ (hash + 0x9e3779b97f4a7c15U + (seed << 6U) + (seed >> 2U));
}

}  // namespace ampacity::python
