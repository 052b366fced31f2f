// Which rank does what: the axes data, tensor and pipeline.
#pragma once

#include <cstdint>

namespace galley::plan {

struct Mesh {
  int64_t data = 1;
  int64_t tensor = 1;
  int64_t pipeline = 1;
  int64_t world() const { return data * tensor * pipeline; }

  // Tensor varies fastest, then data, then pipeline (Megatron's default order).
  struct Place {
    int64_t data = 0;
    int64_t tensor = 0;
    int64_t pipeline = 0;
  };
  Place At(int64_t rank) const {
    return {.data = rank / tensor % data, .tensor = rank % tensor, .pipeline = rank / (tensor * data)};
  }
  bool operator==(const Mesh&) const = default;
};

}  // namespace galley::plan
