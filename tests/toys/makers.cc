#include "runtime/models/makers.h"

#include "runtime/models/gpt2/keys.h"
#include "runtime/models/gpt2/model.h"
#include "runtime/models/llama/keys.h"
#include "runtime/models/llama/model.h"
#include "tests/toys/toy/keys.h"
#include "tests/toys/toy/model.h"

namespace galley::models {

const std::vector<Maker>& Makers() {
  static const std::vector<Maker> makers = {
      {Gpt2Family(), MakeGpt2},
      {LlamaFamily(), MakeLlama},
      {ToyFamily(), MakeToy},
  };
  return makers;
}

}  // namespace galley::models
