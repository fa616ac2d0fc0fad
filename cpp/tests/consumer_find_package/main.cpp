// A stranger's program: asks the built-in catalogue and the estimator through public headers only.
#include <ampacity/ampacity.hpp>
#include <iostream>
#include <string_view>

int main() {
  if (std::string_view(ampacity::version) != EXPECTED_VERSION) {
    std::cerr << "version " << ampacity::version << ", expected " << EXPECTED_VERSION << '\n';
    return 1;
  }
  const ampacity::Catalogue& catalogue = ampacity::Catalogue::builtin();
  const auto cluster = catalogue.get<ampacity::Cluster>("meta-llama3-16k");
  ampacity::Training job;
  job.model = catalogue.get<ampacity::Model>("llama-3.1-405b");
  job.software = catalogue.get<ampacity::Software>("megatron-core");
  const ampacity::SearchResult found = ampacity::search(job, cluster);
  const ampacity::Estimate estimate = ampacity::estimate(job, cluster, found.best);
  std::cout << estimate.model << " on " << estimate.cluster << ": " << estimate.step_time_s << " s a step\n";
  return estimate.step_time_s > 0 && estimate.memory.fits() ? 0 : 1;
}
