// The tasks of a pipeline stage: what of their seconds depends on the device and what does not.
#pragma once

#include "step/pipeline_work.hpp"
#include "step/stage_time.hpp"

namespace ampacity::step {

/// One task. Its parts add up along the critical path.
struct TaskWork {
  double compute_s = 0;        ///< kernels: a slower device takes longer
  double communication_s = 0;  ///< exposed
  double host_s = 0;           ///< waiting for launches and for transfers to and from host memory
  double imbalance_s = 0;      ///< waiting for a busier device of its group
  double exchange_s = 0;       ///< part of `communication_s`: with experts

  [[nodiscard]] double fixed_s() const { return communication_s + host_s + imbalance_s; }
  [[nodiscard]] double total_s() const { return compute_s + fixed_s(); }
  TaskWork& operator+=(const TaskWork& other);
  friend TaskWork operator*(double times, TaskWork work);
};

/// The tasks of one micro-batch, split as the closed form splits them (`pipeline_work`).
struct StageTasks {
  TaskWork forward;
  TaskWork input_gradient;
  TaskWork weight_gradient;
  double joules = 0;         ///< of the kernels of all three
  double hidden_comm_s = 0;  ///< communication behind them (its watts count)

  [[nodiscard]] TaskWork backward() const;
  StageTasks& operator+=(const StageTasks& other);
};

/// `stalled_w`: of the device while it waits, which `PassTime::joules` has for imbalance too.
[[nodiscard]] StageTasks stage_tasks(const PartTimes& parts, const PartCounts& counts, double stalled_w);

}  // namespace ampacity::step
