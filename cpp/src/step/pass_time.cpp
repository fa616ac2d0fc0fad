#include "step/pass_time.hpp"

#include <initializer_list>

namespace ampacity::step {

PassTime& PassTime::operator+=(const PassTime& other) {
  gemm_s += other.gemm_s;
  attention_s += other.attention_s;
  memory_bound_s += other.memory_bound_s;
  recompute_s += other.recompute_s;
  launch_s += other.launch_s;
  tp_comm_s += other.tp_comm_s;
  cp_comm_s += other.cp_comm_s;
  ep_comm_s += other.ep_comm_s;
  imbalance_s += other.imbalance_s;
  dp_comm_s += other.dp_comm_s;
  offload_s += other.offload_s;
  joules += other.joules;
  held_back_j += other.held_back_j;
  hidden_comm_s += other.hidden_comm_s;
  weight_gradient_s += other.weight_gradient_s;
  return *this;
}

PassTime operator+(PassTime a, const PassTime& b) {
  return a += b;
}

PassTime operator*(double times, PassTime pass) {
  for (double PassTime::* term :
       {&PassTime::gemm_s, &PassTime::attention_s, &PassTime::memory_bound_s, &PassTime::recompute_s,
        &PassTime::launch_s, &PassTime::tp_comm_s, &PassTime::cp_comm_s, &PassTime::ep_comm_s, &PassTime::imbalance_s,
        &PassTime::dp_comm_s, &PassTime::offload_s, &PassTime::joules, &PassTime::held_back_j, &PassTime::hidden_comm_s,
        &PassTime::weight_gradient_s}) {
    pass.*term *= times;
  }
  return pass;
}

}  // namespace ampacity::step
