#include "tests/toys/toy/model.h"

#include "runtime/models/llama/model.h"
#include "tests/toys/toy/keys.h"

namespace galley::models {

Model MakeToy(const recipe::Model& spec, const ParamTable& params) {
  return MakeLlama(AsLlama(spec), params);
}

}  // namespace galley::models
