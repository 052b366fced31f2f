// GPT-2: pre-LN blocks, learned positions, biases everywhere, tied head.
#pragma once

#include "runtime/models/model.h"

namespace galley::models {

Model MakeGpt2(const recipe::Model& spec, const StageParts& parts);

}  // namespace galley::models
