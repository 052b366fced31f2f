#include "runtime/data/order/sample_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/order/document_mask.h"
#include "runtime/data/order/dummy_order.h"

namespace galley::data {

SampleReader::SampleReader(const DataPlan& plan, const SampleOptions& options)
    : length_(plan.sequence_length),
      vocab_(plan.vocab),
      mask_(options.mask),
      pad_(options.pad),
      sources_(std::make_unique<std::vector<IndexedDataset>>()) {}

absl::StatusOr<SampleReader> SampleReader::Open(const DataPlan& plan, const SampleOptions& options) {
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    if (plan.Windows(static_cast<int64_t>(s), options.split) > 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(plan.sources[s].path, ": the ", Name(options.split),
                     " split holds no sample; give data.split a larger share of it, or add text"));
  }
  SampleReader reader(plan, options);
  for (const PlannedSource& planned : plan.sources) {
    ASSIGN_OR_RETURN(IndexedDataset source, IndexedDataset::Open(planned.path));
    ASSIGN_OR_RETURN(const uint64_t fingerprint, source.Fingerprint());
    if (Hex(fingerprint) != planned.fingerprint) {
      return absl::FailedPreconditionError(absl::StrCat(
          planned.path, ": the files changed since the data plan was made (fingerprint ", Hex(fingerprint),
          ", planned ", planned.fingerprint, "); put the old ones back, or start a new run"));
    }
    reader.sources_->push_back(std::move(source));
  }
  ASSIGN_OR_RETURN(reader.order_, MakeOrder(plan, options.split, *reader.sources_, options.index_threads));
  // Indices are built by now: from here on it is one window after another, anywhere.
  for (const IndexedDataset& source : *reader.sources_) source.Expect(IndexedDataset::Access::kScattered);
  if (plan.dummy()) reader.dummy_ = dynamic_cast<const DummyOrder*>(reader.order_.get());
  return reader;
}

SampleReader::Scratch SampleReader::MakeScratch() const {
  const auto row = static_cast<size_t>(length_) + 1;
  size_t item = 1;
  for (const IndexedDataset& source : *sources_) {
    item = std::max(item, static_cast<size_t>(ItemSize(source.type())));
  }
  Scratch scratch;
  scratch.bytes.resize(row * item);
  scratch.parts.ranges.reserve(row);
  return scratch;
}

absl::StatusOr<int64_t> SampleReader::Read(int64_t sample, std::span<int32_t> out, std::span<int32_t> starts,
                                           Scratch& scratch) const {
  CHECK_EQ(static_cast<int64_t>(out.size()), length_ + 1);
  CHECK(starts.empty() || starts.size() == out.size());
  SampleParts& parts = scratch.parts;
  RETURN_IF_ERROR(order_->Locate(sample, parts));
  if (dummy_ != nullptr) {
    dummy_->Make(sample, out);
    std::fill(starts.begin(), starts.end(), 0);
    return length_ + 1;
  }
  const IndexedDataset& source = (*sources_)[static_cast<size_t>(parts.source)];
  size_t at = 0;
  for (const Range& range : parts.ranges) {
    const auto size = static_cast<size_t>(range.size());
    RETURN_IF_ERROR(source.Read(range.begin, out.subspan(at, size), scratch.bytes));
    at += size;
  }
  const std::span<int32_t> filled = out.first(at);
  // The embedding would read outside its table; one pass over the tokens costs next to nothing.
  uint32_t largest = 0;
  for (const int32_t id : filled) largest = std::max(largest, static_cast<uint32_t>(id));
  if (static_cast<int64_t>(largest) >= vocab_) RETURN_IF_ERROR(CheckIds(filled, parts));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), pad_);
  if (!starts.empty()) {
    RETURN_IF_ERROR(Starts(filled, parts, starts.first(at)));
    std::fill(starts.begin() + static_cast<std::ptrdiff_t>(at), starts.end(), static_cast<int32_t>(at));
  }
  return static_cast<int64_t>(at);
}

absl::Status SampleReader::CheckIds(std::span<const int32_t> ids, const SampleParts& parts) const {
  const IndexedDataset& source = (*sources_)[static_cast<size_t>(parts.source)];
  size_t at = 0;
  for (const Range& range : parts.ranges) {
    const auto size = static_cast<size_t>(range.size());
    RETURN_IF_ERROR(data::CheckIds(source, range.begin, ids.subspan(at, size), vocab_));
    at += size;
  }
  return absl::OkStatus();
}

absl::Status SampleReader::Starts(std::span<const int32_t> ids, const SampleParts& parts,
                                  std::span<int32_t> starts) const {
  if (mask_.eod.has_value()) {
    StartsByEod(ids, *mask_.eod, starts);
    return absl::OkStatus();
  }
  size_t at = 0;
  for (const Range& range : parts.ranges) {
    const std::span<int32_t> part = starts.subspan(at, static_cast<size_t>(range.size()));
    RETURN_IF_ERROR(StartsByIndex((*sources_)[static_cast<size_t>(parts.source)], range.begin, part));
    for (int32_t& start : part) start += static_cast<int32_t>(at);
    at += part.size();
  }
  return absl::OkStatus();
}

}  // namespace galley::data
