// The groups that a rank of a mesh is in.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/comm/group.h"
#include "runtime/plan/mesh.h"

namespace galley::parallel {

struct Groups {
  // All ranks of `world`, which must outlive the result, call it. kInvalidArgument when
  // it is not of the mesh's size.
  static absl::StatusOr<Groups> Split(comm::Group* world, const plan::Mesh& mesh);

  plan::Mesh mesh;
  plan::Coordinate coordinate;  // of this rank
  comm::Group* world = nullptr;
  // Ranks that differ from this one in one coordinate only; that coordinate is the rank there.
  std::unique_ptr<comm::Group> data;      // the same weights, other samples: gradients are summed over it
  std::unique_ptr<comm::Group> tensor;    // the same samples, other slices of the weights
  std::unique_ptr<comm::Group> pipeline;  // the same samples, other layers
};

}  // namespace galley::parallel
