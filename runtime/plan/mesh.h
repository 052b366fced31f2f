// Which rank does what: the axes data, tensor and pipeline.
#pragma once

#include <cstdint>
#include <vector>

namespace galley::plan {

enum class Axis : uint8_t { kData, kTensor, kPipeline };

// Where a rank stands in the mesh.
struct Coordinate {
  int64_t data = 0;
  int64_t tensor = 0;
  int64_t pipeline = 0;
  int64_t Along(Axis axis) const {
    return axis == Axis::kData ? data : axis == Axis::kTensor ? tensor : pipeline;
  }
  bool operator==(const Coordinate&) const = default;
};

struct Mesh {
  int64_t data = 1;
  int64_t tensor = 1;
  int64_t pipeline = 1;
  int64_t world() const { return data * tensor * pipeline; }
  int64_t SizeAlong(Axis axis) const { return Coordinate{data, tensor, pipeline}.Along(axis); }

  // Tensor varies fastest, then data, then pipeline (Megatron's default order).
  Coordinate CoordinateOf(int64_t rank) const {
    return {.data = rank / tensor % data, .tensor = rank % tensor, .pipeline = rank / (tensor * data)};
  }
  int64_t RankAt(const Coordinate& c) const { return (c.pipeline * data + c.data) * tensor + c.tensor; }

  // The group of `rank` along an axis: the ranks that differ from it in that coordinate only, in its order.
  std::vector<int64_t> GroupOf(Axis axis, int64_t rank) const {
    std::vector<int64_t> ranks;
    for (int64_t i = 0; i < SizeAlong(axis); ++i) {
      Coordinate c = CoordinateOf(rank);
      (axis == Axis::kData ? c.data : axis == Axis::kTensor ? c.tensor : c.pipeline) = i;
      ranks.push_back(RankAt(c));
    }
    return ranks;
  }

  bool operator==(const Mesh&) const = default;
};

}  // namespace galley::plan
