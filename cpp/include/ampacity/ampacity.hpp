// Everything that the library offers.
#pragma once

#include "ampacity/batch.hpp"              // IWYU pragma: export
#include "ampacity/bill_of_materials.hpp"  // IWYU pragma: export
#include "ampacity/breakers.hpp"           // IWYU pragma: export
#include "ampacity/catalogue.hpp"          // IWYU pragma: export
#include "ampacity/cluster.hpp"            // IWYU pragma: export
#include "ampacity/collective.hpp"         // IWYU pragma: export
#include "ampacity/communication.hpp"      // IWYU pragma: export
#include "ampacity/decode.hpp"             // IWYU pragma: export
#include "ampacity/error.hpp"              // IWYU pragma: export
#include "ampacity/estimate.hpp"           // IWYU pragma: export
#include "ampacity/explain.hpp"            // IWYU pragma: export
#include "ampacity/grid_contract.hpp"      // IWYU pragma: export
#include "ampacity/kernels.hpp"            // IWYU pragma: export
#include "ampacity/layout.hpp"             // IWYU pragma: export
#include "ampacity/load.hpp"               // IWYU pragma: export
#include "ampacity/mitigation.hpp"         // IWYU pragma: export
#include "ampacity/model.hpp"              // IWYU pragma: export
#include "ampacity/network.hpp"            // IWYU pragma: export
#include "ampacity/pipeline.hpp"           // IWYU pragma: export
#include "ampacity/placement.hpp"          // IWYU pragma: export
#include "ampacity/search.hpp"             // IWYU pragma: export
#include "ampacity/simulate.hpp"           // IWYU pragma: export
#include "ampacity/simulation_views.hpp"   // IWYU pragma: export
#include "ampacity/training.hpp"           // IWYU pragma: export
#include "ampacity/version.hpp"            // IWYU pragma: export
