// Llama: RMSNorm, rotary positions, grouped queries, gated MLP, no biases.
#pragma once

#include "runtime/models/model.h"

namespace galley::models {

Model MakeLlama(const recipe::Model& spec, const StageParts& parts);

}  // namespace galley::models
