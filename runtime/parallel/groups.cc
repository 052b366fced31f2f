#include "runtime/parallel/groups.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"

namespace galley::parallel {
namespace {

// The lowest rank of a group is its color, so that no two of one axis have the same.
absl::StatusOr<std::unique_ptr<comm::Group>> SplitAlong(plan::Axis axis, const plan::Mesh& mesh,
                                                        comm::Group& world) {
  const int64_t rank = world.rank();
  return world.Split(static_cast<int>(mesh.GroupOf(axis, rank).front()),
                     static_cast<int>(mesh.CoordinateOf(rank).Along(axis)));
}

}  // namespace

absl::StatusOr<Groups> Groups::Split(comm::Group* world, const plan::Mesh& mesh) {
  if (world->size() != mesh.world()) {
    return absl::InvalidArgumentError(absl::StrCat("the mesh has ", mesh.world(), " ranks, the run ",
                                                   world->size(),
                                                   "; submit it again with one Galley version everywhere"));
  }
  Groups groups;
  groups.mesh = mesh;
  groups.coordinate = mesh.CoordinateOf(world->rank());
  groups.world = world;
  // In one order on every rank.
  ASSIGN_OR_RETURN(groups.data, SplitAlong(plan::Axis::kData, mesh, *world));
  ASSIGN_OR_RETURN(groups.tensor, SplitAlong(plan::Axis::kTensor, mesh, *world));
  ASSIGN_OR_RETURN(groups.pipeline, SplitAlong(plan::Axis::kPipeline, mesh, *world));
  return groups;
}

}  // namespace galley::parallel
