#include "tests/toys/toy/layout.h"

#include "runtime/models/llama/layout.h"
#include "tests/toys/toy/keys.h"

namespace galley::models {

ModelLayout ToyLayout(const recipe::Model& model) { return LlamaLayout(AsLlama(model)); }

}  // namespace galley::models
