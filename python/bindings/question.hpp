// What an estimate was asked, kept beside it: results that can explain themselves later, on demand.
#pragma once

#include "pybind.hpp"

namespace ampacity::python {

/// The Python objects that an estimate was made of (specifications never change), and the layout and batch that it has.
struct Question {
  py::object job;
  py::object cluster;
  Layout layout;
  std::int64_t global_batch = 0;
  std::int64_t seq_len = 0;

  [[nodiscard]] bool known() const { return job.ptr() != nullptr && !job.is_none(); }
  /// Explains the answer. Needs the interpreter, and lets it go while it computes.
  /// \throws Error where the question is not known.
  [[nodiscard]] Explanation explain(const Catalogue& catalogue) const;
};

struct ToldBreakdown : Breakdown {
  Question question;
};

struct ToldEstimate : Estimate {
  Question question;
};

/// The Python object that a specification was passed in as.
template <class Spec>
py::object object_of(const Spec& spec) {
  return py::cast(&spec, py::return_value_policy::reference);
}

/// An estimate with what was asked. Needs the interpreter.
inline ToldEstimate told(Estimate&& estimate, const py::object& job, const py::object& cluster) {
  ToldEstimate result{std::move(estimate), {job, cluster, {}, 0, 0}};
  result.question.layout = result.layout;
  result.question.global_batch = result.global_batch;
  result.question.seq_len = result.seq_len;
  return result;
}

}  // namespace ampacity::python
