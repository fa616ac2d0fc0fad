// A stranger's program: asks the built-in catalogue and the estimator through public headers only.
#include <ampacity/ampacity.hpp>
#include <iostream>
#include <string_view>

int main() try {
  if (std::string_view(ampacity::version) != EXPECTED_VERSION) {
    std::cerr << "version " << ampacity::version << ", expected " << EXPECTED_VERSION << '\n';
    return 1;
  }
  ampacity::Value document;
  document.set("model", "llama-3.1-405b");
  const auto job = ampacity::decode<ampacity::Training>(document);
  const auto cluster = ampacity::Catalogue::builtin().get<ampacity::Cluster>("meta-llama3-16k");
  const ampacity::SearchResult found = ampacity::search(job, cluster);
  const ampacity::Estimate estimate = ampacity::estimate(job, cluster, found.best);
  std::cout << estimate.model << " on " << estimate.cluster << ": " << estimate.step_time_s << " s a step\n";
  return estimate.step_time_s > 0 && estimate.memory.fits() ? 0 : 1;
} catch (const ampacity::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
