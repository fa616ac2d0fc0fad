// Every error that the library throws. Nothing else leaves it, and it never prints or exits.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ampacity {

/// Base of all errors of the library.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One thing that is wrong with what the user said.
struct Problem {
  std::string path;   ///< where: `layout.tp`, `model.heads`
  std::string value;  ///< what was given: `12`
  std::string rule;   ///< what is allowed: `must divide model.heads (128)`
  std::string hint;   ///< what would be right, or the nearest valid name; may be empty

  [[nodiscard]] std::string text() const;
  friend bool operator==(const Problem&, const Problem&) = default;
};

/// The scenario cannot be used; names every problem at once.
class InvalidSpec : public Error {
 public:
  explicit InvalidSpec(std::vector<Problem> problems);
  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// A catalogue has no entry of that name; the message suggests the nearest.
class UnknownName : public Error {
 public:
  using Error::Error;
};

/// Nothing that was searched fits the cluster.
class Infeasible : public Error {
 public:
  using Error::Error;
};

/// Long work was told to stop by its caller.
class Cancelled : public Error {
 public:
  using Error::Error;
};

}  // namespace ampacity
