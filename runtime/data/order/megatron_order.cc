#include "runtime/data/order/megatron_order.h"

#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr size_t kHashBlock = 1024;  // words

MegatronSurplus SurplusOf(const DataPlan& plan) {
  return plan.version == kMegatron010 ? MegatronSurplus::kCore010 : MegatronSurplus::kCore014;
}

BlendCounts CountsOf(const DataPlan& plan, Split split) {
  const int64_t asked = plan.samples[static_cast<size_t>(split)];
  if (!plan.blended) return {.asked = {asked}};
  std::vector<double> weights;
  for (const PlannedSource& source : plan.sources) weights.push_back(source.weight);
  return CountBlend(weights, asked, SurplusOf(plan));
}

}  // namespace

std::vector<int64_t> AskedOfSources(const DataPlan& plan, Split split) { return CountsOf(plan, split).asked; }

int64_t IndexBytes(const DataPlan& plan) {
  CHECK(plan.megatron());
  int64_t bytes = 0;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    const auto part = static_cast<size_t>(split);
    if (plan.samples[part] == 0) continue;
    for (const PlannedSource& source : plan.sources) {
      bytes += MegatronIndex::Bytes(source.sequences[part].size(), source.epochs[part]);
    }
    if (plan.blended) bytes += MegatronBlend::Bytes(plan.sources.size(), CountsOf(plan, split).size);
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<MegatronOrder>> MegatronOrder::Create(const DataPlan& plan, Split split,
                                                                     std::span<const IndexedDataset> sources,
                                                                     int threads) {
  const auto part = static_cast<size_t>(split);
  const size_t count = plan.sources.size();
  CHECK(plan.megatron() && sources.size() == count && threads > 0);
  std::unique_ptr<MegatronOrder> order(new MegatronOrder(sources, plan.sequence_length));

  // Each source has a generator of its own, and the blend none: all are built side by side.
  std::vector<absl::StatusOr<MegatronIndex>> built(count, absl::UnknownError(""));
  std::atomic<size_t> next{0};
  const int inner = static_cast<int>(std::max<size_t>(1, static_cast<size_t>(threads) / count));
  const auto build = [&] {
    for (size_t s = next.fetch_add(1); s < count; s = next.fetch_add(1)) {
      const PlannedSource& source = plan.sources[s];
      built[s] = MegatronIndex::Build(SequenceLengths(sources[s].length_bytes()), source.sequences[part],
                                      source.epochs[part], plan.sequence_length,
                                      static_cast<uint32_t>(plan.seed), inner);
    }
  };
  std::vector<std::thread> pool;
  for (size_t i = 0; i < std::min(count, static_cast<size_t>(threads)); ++i) pool.emplace_back(build);
  if (plan.blended) {
    std::vector<double> weights;
    for (const PlannedSource& source : plan.sources) weights.push_back(source.weight);
    order->blend_.emplace(MegatronBlend::Build(weights, CountsOf(plan, split).size));
  }
  for (std::thread& thread : pool) thread.join();
  for (size_t s = 0; s < count; ++s) {
    RETURN_IF_ERROR(Annotate(built[s].status(), plan.sources[s].path));
    order->indices_.push_back(*std::move(built[s]));
  }
  if (!order->blend_.has_value()) return order;
  const std::vector<int64_t> drawn = order->blend_->DrawnBefore(order->blend_->size());
  for (size_t s = 0; s < count; ++s) {
    if (drawn[s] <= order->indices_[s].samples()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(plan.sources[s].path, ": the blend draws ", drawn[s],
                     " samples of it, and its epochs hold ", order->indices_[s].samples(),
                     ": more than Megatron's surplus of 0.5 % covers, and an error there too; ",
                     "raise the source's weight a little, or use order: galley"));
  }
  return order;
}

int64_t MegatronOrder::size() const { return blend_.has_value() ? blend_->size() : indices_[0].samples(); }

MegatronBlend::Draw MegatronOrder::DrawAt(int64_t sample) const {
  return blend_.has_value() ? blend_->At(sample) : MegatronBlend::Draw{0, sample};
}

absl::Status MegatronOrder::Locate(int64_t sample, SampleParts& parts) const {
  if (sample < 0 || sample >= size()) {
    return absl::OutOfRangeError(absl::StrCat("data plan: sample ", sample, " of an order of ", size(),
                                              " samples; a longer run needs a data plan of its own"));
  }
  const MegatronBlend::Draw draw = DrawAt(sample);
  const IndexedDataset& source = sources_[static_cast<size_t>(draw.source)];
  parts.source = draw.source;
  parts.ranges.clear();
  absl::Status status;
  int64_t tokens = 0;
  indices_[static_cast<size_t>(draw.source)].Visit(draw.index, [&](const MegatronIndex::Part& part) {
    if (!status.ok()) return;
    const absl::StatusOr<Range> range = source.SequenceTokens(part.sequence);
    if (!range.ok()) {
      status = range.status();
      return;
    }
    tokens += part.count;
    parts.ranges.push_back({range->begin + part.offset, range->begin + part.offset + part.count});
    if (parts.ranges.back().end > range->end) tokens = -1;
  });
  RETURN_IF_ERROR(status);
  if (tokens == length_ + 1) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(source.idx_path(),
                                          ": the lengths in it changed since it was opened; ",
                                          "put the old file back, or start a new run"));
}

std::vector<int64_t> MegatronOrder::DrawnBySource(int64_t consumed) const {
  return blend_.has_value() ? blend_->DrawnBefore(consumed) : std::vector<int64_t>{consumed};
}

uint64_t MegatronOrder::SamplesHash(int64_t first, int64_t count) const {
  uint64_t words[kHashBlock];
  uint64_t hash = 0;
  size_t filled = 0;
  const auto add = [&](int64_t word) {
    words[filled++] = static_cast<uint64_t>(word);
    if (filled < kHashBlock) return;
    hash = Hash64(std::as_bytes(std::span(words)), hash);
    filled = 0;
  };
  for (int64_t i = first; i < first + count; ++i) {
    const MegatronBlend::Draw draw = DrawAt(i);
    add(draw.source);
    indices_[static_cast<size_t>(draw.source)].Visit(draw.index, [&](const MegatronIndex::Part& part) {
      add(part.sequence);
      add(part.offset);
      add(part.count);
    });
  }
  return Hash64(std::as_bytes(std::span(words, filled)), hash);
}

}  // namespace galley::data
