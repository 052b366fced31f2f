#include "runtime/data/order/skipping_order.h"

#include <algorithm>
#include <span>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/hash.h"

namespace galley::data {

int64_t Unskipped(const std::vector<Range>& skip, int64_t n) {
  for (const Range& range : skip) {
    if (range.begin > n) break;
    n += range.size();
  }
  return n;
}

std::vector<Range> StretchesRead(const std::vector<Range>& skip, int64_t count) {
  std::vector<Range> read;
  int64_t begin = 0;
  for (const Range& range : skip) {
    if (count <= range.begin - begin) break;
    if (range.begin > begin) read.push_back({begin, range.begin});
    count -= range.begin - begin;
    begin = range.end;
  }
  if (count > 0) read.push_back({begin, begin + count});
  return read;
}

SkippingOrder::SkippingOrder(std::unique_ptr<const Order> whole, std::vector<Range> skip)
    : whole_(std::move(whole)), skip_(std::move(skip)) {
  for (size_t i = 0; i < skip_.size(); ++i) {
    CHECK(skip_[i].size() > 0 && skip_[i].begin >= (i == 0 ? 0 : skip_[i - 1].end + 1));
  }
}

absl::Status SkippingOrder::Locate(int64_t sample, SampleParts& parts) const {
  return whole_->Locate(Unskipped(skip_, sample), parts);
}

std::vector<int64_t> SkippingOrder::DrawnBySource(int64_t consumed) const {
  const int64_t end = Unskipped(skip_, consumed);
  std::vector<int64_t> drawn = whole_->DrawnBySource(end);
  for (const Range& range : skip_) {
    if (range.begin >= end) break;
    const std::vector<int64_t> before = whole_->DrawnBySource(range.begin);
    const std::vector<int64_t> after = whole_->DrawnBySource(std::min(range.end, end));
    for (size_t s = 0; s < drawn.size(); ++s) drawn[s] -= after[s] - before[s];
  }
  return drawn;
}

uint64_t SkippingOrder::SamplesHash(int64_t first, int64_t count) const {
  uint64_t hash = 0;
  bool joined = false;
  while (count > 0) {
    const int64_t at = Unskipped(skip_, first);
    const auto ahead =
        std::find_if(skip_.begin(), skip_.end(), [at](const Range& r) { return r.begin > at; });
    const int64_t here = ahead == skip_.end() ? count : std::min(count, ahead->begin - at);
    const uint64_t stretch = whole_->SamplesHash(at, here);
    hash = joined ? Hash64(std::as_bytes(std::span(&stretch, 1)), hash) : stretch;
    joined = true;
    first += here;
    count -= here;
  }
  return hash;
}

}  // namespace galley::data
