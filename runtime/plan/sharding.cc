#include "runtime/plan/sharding.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "runtime/base/check.h"

namespace galley::plan {
namespace {

// n * rank / ranks; the product of absurd sizes may pass 2^63. Shares are differences of these, so that they
// add up to n and differ by one at most.
int64_t Boundary(int64_t n, int64_t rank, int64_t ranks) {
  return static_cast<int64_t>(static_cast<__int128>(n) * rank / ranks);
}

void Cut(size_t dim, int64_t rank, int64_t ranks, Slice& slice) {
  CHECK_LT(dim, slice.size.size());
  const int64_t n = slice.size[dim];
  const int64_t first = Boundary(n, rank, ranks);
  slice.begin[dim] += first;
  slice.size[dim] = Boundary(n, rank + 1, ranks) - first;
}

// `next` begins at the row where `slice` ends, in the same columns.
bool Adjoins(const Slice& slice, const Slice& next) {
  if (slice.size.empty() || slice.begin[0] + slice.size[0] != next.begin[0]) return false;
  for (size_t d = 1; d < slice.size.size(); ++d) {
    if (slice.begin[d] != next.begin[d] || slice.size[d] != next.size[d]) return false;
  }
  return true;
}

std::vector<Slice> SlicesOf(const ParamSpec& param, int64_t rank, int64_t ranks, bool shared_parts) {
  CHECK(rank >= 0 && rank < ranks) << rank << " of " << ranks;
  std::vector<Slice> slices;
  int64_t row = 0;
  const std::vector<ParamPart> one = {{"", param.shape[0], Split::kNone}};
  for (const ParamPart& part : param.parts.empty() ? one : param.parts) {
    Slice slice = Slice::Whole(param.shape);
    slice.begin[0] = std::exchange(row, row + part.rows);
    slice.size[0] = part.rows;
    if (part.split == Split::kRows) Cut(0, rank, ranks, slice);
    if (part.split == Split::kCols) Cut(1, rank, ranks, slice);
    if (slice.elements() == 0 || (part.split == Split::kNone && !shared_parts)) continue;
    if (!slices.empty() && Adjoins(slices.back(), slice)) {
      slices.back().size[0] += slice.size[0];
    } else {
      slices.push_back(std::move(slice));
    }
  }
  CHECK_EQ(row, param.shape[0]) << param.name << ": its parts are not its rows";
  return slices;
}

}  // namespace

std::vector<Slice> HeldSlices(const ParamSpec& param, int64_t rank, int64_t ranks) {
  return SlicesOf(param, rank, ranks, true);
}

std::vector<Slice> SavedSlices(const ParamSpec& param, int64_t rank, int64_t ranks) {
  return SlicesOf(param, rank, ranks, rank == 0);
}

std::vector<int64_t> StagesOf(const ParamSpec& param, int64_t layers, int64_t stages, bool tied_embeddings) {
  absl::string_view name = param.name;
  int64_t layer = 0;
  if (absl::ConsumePrefix(&name, "layers.") && absl::SimpleAtoi(name.substr(0, name.find('.')), &layer)) {
    CHECK_LT(layer, layers) << param.name;
    return {layer * stages / layers};
  }
  if (param.role != Role::kEmbedding && param.role != Role::kPosition) return {stages - 1};
  if (param.role == Role::kEmbedding && tied_embeddings && stages > 1) return {0, stages - 1};
  return {0};
}

}  // namespace galley::plan
