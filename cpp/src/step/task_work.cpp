#include "step/task_work.hpp"

namespace ampacity::step {
namespace {

TaskWork work_of(const PassTime& pass) {
  return {pass.compute_s(), pass.tp_comm_s + pass.cp_comm_s + pass.ep_comm_s + pass.dp_comm_s,
          pass.launch_s + pass.offload_s, pass.imbalance_s, pass.ep_comm_s};
}

/// All of a pass but the products of weight gradients, which are nothing but compute.
TaskWork without_weights(const PassTime& pass) {
  TaskWork work = work_of(pass);
  work.compute_s -= pass.weight_gradient_s;
  return work;
}

void add(const PassTime& pass, double times, double stalled_w, StageTasks& tasks) {
  tasks.joules += times * (pass.joules - pass.imbalance_s * stalled_w);
  tasks.hidden_comm_s += times * pass.hidden_comm_s;
}

void add_layers(const LayerTime& layer, double count, double stalled_w, StageTasks& tasks) {
  if (count <= 0) return;
  tasks.forward += count * work_of(layer.forward);
  tasks.input_gradient += count * without_weights(layer.backward);
  tasks.weight_gradient.compute_s += count * layer.backward.weight_gradient_s;
  add(layer.forward, count, stalled_w, tasks);
  add(layer.backward, count, stalled_w, tasks);
}

void add_embeddings(const PartTimes& parts, double count, double stalled_w, StageTasks& tasks) {
  if (count <= 0) return;
  const double backward = parts.embedding_backward_fraction;
  tasks.forward += (1 - backward) * count * work_of(parts.embedding);
  tasks.weight_gradient += backward * count * work_of(parts.embedding);
  add(parts.embedding, count, stalled_w, tasks);
}

/// Forward and backward pass of the head are not kept apart: three products of the same size.
void add_heads(const PassTime& head, double count, double stalled_w, StageTasks& tasks) {
  if (count <= 0) return;
  tasks.forward += 0.5 * count * without_weights(head);
  tasks.input_gradient += 0.5 * count * without_weights(head);
  tasks.weight_gradient.compute_s += count * head.weight_gradient_s;
  add(head, count, stalled_w, tasks);
}

}  // namespace

TaskWork& TaskWork::operator+=(const TaskWork& other) {
  compute_s += other.compute_s;
  communication_s += other.communication_s;
  host_s += other.host_s;
  imbalance_s += other.imbalance_s;
  exchange_s += other.exchange_s;
  return *this;
}

TaskWork operator*(double times, TaskWork work) {
  return {times * work.compute_s, times * work.communication_s, times * work.host_s, times * work.imbalance_s,
          times * work.exchange_s};
}

TaskWork StageTasks::backward() const {
  TaskWork both = input_gradient;
  return both += weight_gradient;
}

StageTasks& StageTasks::operator+=(const StageTasks& other) {
  forward += other.forward;
  input_gradient += other.input_gradient;
  weight_gradient += other.weight_gradient;
  joules += other.joules;
  hidden_comm_s += other.hidden_comm_s;
  return *this;
}

StageTasks stage_tasks(const PartTimes& parts, const PartCounts& counts, double stalled_w) {
  StageTasks tasks;
  add_layers(parts.dense, counts.layers.dense, stalled_w, tasks);
  add_layers(parts.moe, counts.layers.moe, stalled_w, tasks);
  add_embeddings(parts, counts.embeddings, stalled_w, tasks);
  add_heads(parts.head, counts.heads, stalled_w, tasks);
  return tasks;
}

}  // namespace ampacity::step
