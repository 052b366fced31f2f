#include "runtime/base/check.h"
#include "runtime/models/makers.h"

namespace galley::models {

Model MakeModel(const recipe::Model& spec, const StageParts& parts) {
  for (const Maker& maker : Makers()) {
    if (&maker.family == spec.family) return maker.make(spec, parts);
  }
  CHECK(false) << "a model of no family";
  return {};
}

}  // namespace galley::models
