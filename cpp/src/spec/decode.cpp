#include "ampacity/decode.hpp"

#include "ampacity/breakers.hpp"
#include "ampacity/collective.hpp"
#include "ampacity/grid_contract.hpp"
#include "ampacity/load.hpp"
#include "ampacity/mitigation.hpp"
#include "ampacity/power_profile.hpp"
#include "ampacity/tariff.hpp"
#include "spec/decoder.hpp"

namespace ampacity {

template <class Spec>
std::vector<Problem> spec::problems_of(const Value& document, const std::string& path, const Catalogue& catalogue) {
  Decoder decoder(catalogue);
  Spec spec;
  decoder.read_table(document, path, spec);
  return std::move(decoder.problems());
}

template <class Spec>
Spec decode(const Value& document, const Catalogue& catalogue) {
  spec::Decoder decoder(catalogue);
  Spec result;
  decoder.read_table(document, std::string(Spec::kind), result);
  if (!decoder.problems().empty()) throw InvalidSpec(std::move(decoder.problems()));
  return result;
}

template <class Spec>
Value encode(const Spec& spec) {
  return spec::encoded(spec);
}

template <class Spec>
Spec Catalogue::get(std::string_view name) const {
  return decode<Spec>(document(Spec::kind, name), *this);
}

#define AMPACITY_INSTANTIATE(Spec)                            \
  template Spec decode<Spec>(const Value&, const Catalogue&); \
  template Value encode<Spec>(const Spec&);                   \
  template Spec Catalogue::get<Spec>(std::string_view) const; \
  template std::vector<Problem> spec::problems_of<Spec>(const Value&, const std::string&, const Catalogue&);

AMPACITY_INSTANTIATE(Architecture)
AMPACITY_INSTANTIATE(Accelerator)
AMPACITY_INSTANTIATE(Nic)
AMPACITY_INSTANTIATE(LoadPoint)
AMPACITY_INSTANTIATE(Supply)
AMPACITY_INSTANTIATE(Node)
AMPACITY_INSTANTIATE(Switch)
AMPACITY_INSTANTIATE(Optic)
AMPACITY_INSTANTIATE(LineSystem)
AMPACITY_INSTANTIATE(Fabric)
AMPACITY_INSTANTIATE(Grid)
AMPACITY_INSTANTIATE(ClimateMonth)
AMPACITY_INSTANTIATE(Climate)
AMPACITY_INSTANTIATE(CoolingLoop)
AMPACITY_INSTANTIATE(Plant)
AMPACITY_INSTANTIATE(Generation)
AMPACITY_INSTANTIATE(Site)
AMPACITY_INSTANTIATE(Reliability)
AMPACITY_INSTANTIATE(Partition)
AMPACITY_INSTANTIATE(Cluster)
AMPACITY_INSTANTIATE(Model)
AMPACITY_INSTANTIATE(Software)
AMPACITY_INSTANTIATE(Training)
AMPACITY_INSTANTIATE(Layout)
AMPACITY_INSTANTIATE(PowerFloor)
AMPACITY_INSTANTIATE(Filler)
AMPACITY_INSTANTIATE(Storage)
AMPACITY_INSTANTIATE(Curtailment)
AMPACITY_INSTANTIATE(LoadEvents)
AMPACITY_INSTANTIATE(MaskPoint)
AMPACITY_INSTANTIATE(GridContract)
AMPACITY_INSTANTIATE(Tariff)
AMPACITY_INSTANTIATE(PowerProfile)
AMPACITY_INSTANTIATE(BreakerLevel)
#undef AMPACITY_INSTANTIATE
// A question, not a product: no catalogue has any.
template CollectiveCall decode<CollectiveCall>(const Value&, const Catalogue&);

}  // namespace ampacity
