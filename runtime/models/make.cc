#include "runtime/base/check.h"
#include "runtime/models/gpt2/model.h"
#include "runtime/models/llama/model.h"
#include "runtime/models/model.h"

namespace galley::models {

Model MakeModel(const recipe::Model& spec, const ParamTable& params) {
  switch (spec.family) {
    case recipe::Family::kGpt2:
      return MakeGpt2(spec, params);
    case recipe::Family::kLlama:
      return MakeLlama(spec, params);
  }
  CHECK(false) << "family without a model";
  return {};
}

}  // namespace galley::models
