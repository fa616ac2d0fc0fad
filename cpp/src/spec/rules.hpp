// Rules between the fields of a specification, and defaults that follow from other fields.
#pragma once

#include <string>
#include <vector>

#include "ampacity/catalogue.hpp"
#include "ampacity/cluster.hpp"
#include "ampacity/error.hpp"
#include "ampacity/grid_contract.hpp"
#include "ampacity/layout.hpp"
#include "ampacity/mitigation.hpp"
#include "ampacity/power_profile.hpp"
#include "ampacity/tariff.hpp"
#include "ampacity/training.hpp"

namespace ampacity::spec {

/// Specifications without rules between fields.
template <class Spec>
void complete(Spec&, const std::string&, const Catalogue&, std::vector<Problem>&) {}

void complete(Accelerator& device, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Node& node, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Cluster& cluster, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Site& site, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Supply& supply, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Plant& plant, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Climate& climate, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Generation& generation, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Model& model, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Storage& storage, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Curtailment& hours, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(GridContract& contract, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(PowerProfile& profile, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
void complete(Tariff& tariff, const std::string& path, const Catalogue&, std::vector<Problem>& problems);
/// What of a job is trained; part of `complete`.
void check_fine_tuning(const Training& job, const std::string& path, std::vector<Problem>& problems);
void complete(Training& job, const std::string& path, const Catalogue& catalogue, std::vector<Problem>& problems);

}  // namespace ampacity::spec
