#include "ampacity/error.hpp"

namespace ampacity {
namespace {

std::string joined(const std::vector<Problem>& problems) {
  if (problems.size() == 1) return problems.front().text();
  std::string text = std::to_string(problems.size()) + " problems:";
  for (const Problem& problem : problems) text += "\n  - " + problem.text();
  return text;
}

}  // namespace

std::string Problem::text() const {
  std::string text = path;
  if (!value.empty()) text += " = " + value;
  text += ": " + rule;
  if (!hint.empty()) text += "; " + hint;
  return text;
}

InvalidSpec::InvalidSpec(std::vector<Problem> problems) : Error(joined(problems)), problems_(std::move(problems)) {}

}  // namespace ampacity
