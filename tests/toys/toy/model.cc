#include "tests/toys/toy/model.h"

#include "runtime/models/llama/model.h"
#include "tests/toys/toy/keys.h"

namespace galley::models {

Model MakeToy(const recipe::Model& spec, const StageParts& parts) { return MakeLlama(AsLlama(spec), parts); }

}  // namespace galley::models
