#include "runtime/data/tools/stats.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/index_cursor.h"

namespace galley::data {
namespace {

constexpr int64_t kLong = 1 << 20;            // tokens; a counter for every length below it takes 8 MiB
constexpr int64_t kPiece = int64_t{1} << 18;  // tokens read at a time

// The tokens of some documents in a row, piece by piece.
class TokenStream {
 public:
  TokenStream(const IndexedDataset& dataset, int64_t begin)
      : dataset_(dataset),
        next_(begin),
        ids_(static_cast<size_t>(std::min(kPiece, dataset.tokens()))),
        bytes_(ids_.size() * static_cast<size_t>(ItemSize(dataset.type()))) {}

  // Counts the next `length` tokens; the last of them, if there is one, is in `last`.
  absl::Status Count(int64_t length, DatasetStats& stats, int32_t& last) {
    while (length > 0) {
      if (at_ == have_) RETURN_IF_ERROR(Fill());
      const auto n = static_cast<size_t>(std::min<int64_t>(length, static_cast<int64_t>(have_ - at_)));
      for (const int32_t id : std::span(ids_).subspan(at_, n)) {
        const auto index = static_cast<uint32_t>(id);  // negative ones become large
        if (index < stats.counts.size()) {
          ++stats.counts[index];
        } else if (index < kMaxCountedId) {
          stats.counts.resize(std::max<size_t>(std::bit_ceil(size_t{index} + 1), 1024));
          ++stats.counts[index];
        } else {
          ++stats.outside;
        }
      }
      at_ += n;
      last = ids_[at_ - 1];
      length -= static_cast<int64_t>(n);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Fill() {
    have_ = static_cast<size_t>(std::min(kPiece, dataset_.tokens() - next_));
    at_ = 0;
    RETURN_IF_ERROR(dataset_.Read(next_, std::span(ids_).first(have_), bytes_));
    next_ += static_cast<int64_t>(have_);
    return absl::OkStatus();
  }

  const IndexedDataset& dataset_;
  int64_t next_;  // token to read from
  std::vector<int32_t> ids_;
  std::vector<std::byte> bytes_;
  size_t at_ = 0;
  size_t have_ = 0;
};

absl::Status CountDocuments(const IndexedDataset& dataset, Range documents, DatasetStats& stats) {
  ASSIGN_OR_RETURN(IndexCursor cursor, IndexCursor::Open(dataset, documents.begin));
  TokenStream tokens(dataset, cursor.first_token());
  for (int64_t d = documents.begin; d < documents.end; ++d) {
    ASSIGN_OR_RETURN(const int64_t sequences, cursor.NextDocument());
    int64_t length = 0;
    for (int64_t s = 0; s < sequences; ++s) {
      ASSIGN_OR_RETURN(const int32_t tokens_of, cursor.NextSequence());
      length += tokens_of;
    }
    int32_t last = -1;
    RETURN_IF_ERROR(tokens.Count(length, stats, last));
    stats.lengths.Add(length);
    ++stats.documents;
    stats.sequences += sequences;
    stats.tokens += length;
    if (length == 0) ++stats.empty_documents;
    if (length > 0 && stats.eod.has_value() && last == *stats.eod) ++stats.eod_endings;
  }
  return absl::OkStatus();
}

}  // namespace

void LengthCounts::Add(int64_t length) {
  if (length >= kLong) {
    long_.push_back(length);
    return;
  }
  const auto at = static_cast<size_t>(length);
  if (at >= short_.size()) short_.resize(std::bit_ceil(at + 1));
  ++short_[at];
}

void LengthCounts::Merge(const LengthCounts& other) {
  if (short_.size() < other.short_.size()) short_.resize(other.short_.size());
  for (size_t i = 0; i < other.short_.size(); ++i) short_[i] += other.short_[i];
  long_.insert(long_.end(), other.long_.begin(), other.long_.end());
}

LengthStats LengthCounts::Summary() const {
  LengthStats stats;
  std::vector<int64_t> longest = long_;
  std::sort(longest.begin(), longest.end());
  const int64_t documents =
      std::accumulate(short_.begin(), short_.end(), static_cast<int64_t>(longest.size()));
  if (documents == 0) return stats;
  const int64_t median = documents - documents / 2;  // ranks, from 1
  const int64_t p99 = documents - documents / 100;
  int64_t seen = 0;
  double sum = 0;
  const auto take = [&](int64_t length, int64_t count) {
    if (count == 0) return;
    if (seen == 0) stats.min = length;
    if (seen < median && seen + count >= median) stats.median = length;
    if (seen < p99 && seen + count >= p99) stats.p99 = length;
    stats.max = length;
    seen += count;
    sum += static_cast<double>(length) * static_cast<double>(count);
    const auto bin = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(length)));
    while (stats.histogram.size() <= bin) {
      const size_t b = stats.histogram.size();
      stats.histogram.push_back(b == 0 ? LengthStats::Bin{0, 0, 0}
                                       : LengthStats::Bin{int64_t{1} << (b - 1), (int64_t{1} << b) - 1, 0});
    }
    stats.histogram[bin].documents += count;
  };
  for (size_t i = 0; i < short_.size(); ++i) take(static_cast<int64_t>(i), short_[i]);
  for (const int64_t length : longest) take(length, 1);
  stats.mean = sum / static_cast<double>(documents);
  return stats;
}

int64_t DatasetStats::distinct() const {
  return static_cast<int64_t>(counts.size()) - std::count(counts.begin(), counts.end(), 0);
}

std::vector<TokenCount> DatasetStats::Frequent(size_t most) const {
  std::vector<TokenCount> all;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) all.push_back({static_cast<int32_t>(id), counts[id]});
  }
  const auto end = all.begin() + static_cast<ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const TokenCount& a, const TokenCount& b) {
    return a.count != b.count ? a.count > b.count : a.id < b.id;
  });
  all.erase(end, all.end());
  return all;
}

void Add(const DatasetStats& part, DatasetStats& sum) {
  if (sum.eod != part.eod) sum.eod.reset();
  sum.documents += part.documents;
  sum.sequences += part.sequences;
  sum.tokens += part.tokens;
  sum.empty_documents += part.empty_documents;
  sum.eod_endings += part.eod_endings;
  sum.outside += part.outside;
  sum.lengths.Merge(part.lengths);
  if (sum.counts.size() < part.counts.size()) sum.counts.resize(part.counts.size());
  for (size_t id = 0; id < part.counts.size(); ++id) sum.counts[id] += part.counts[id];
}

absl::StatusOr<DatasetStats> CountDataset(const std::string& prefix, const StatsOptions& options) {
  ASSIGN_OR_RETURN(const IndexedDataset dataset, IndexedDataset::Open(prefix));
  dataset.Expect(IndexedDataset::Access::kInOrder);
  DatasetStats stats;
  stats.prefix = prefix;
  stats.type = dataset.type();
  stats.eod = options.eod;
  ASSIGN_OR_RETURN(const std::optional<DatasetInfo> info, ReadDatasetInfo(prefix));
  if (info.has_value()) {
    RETURN_IF_ERROR(CheckDatasetInfo(dataset, *info));
    if (!stats.eod.has_value()) stats.eod = info->origin.eod;
  }
  const int64_t threads = std::clamp<int64_t>(dataset.documents() / 1024, 1, options.threads);
  std::vector<DatasetStats> parts(static_cast<size_t>(threads));
  std::vector<absl::Status> statuses(parts.size());
  const auto work = [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    parts[at].eod = stats.eod;
    statuses[at] = CountDocuments(
        dataset,
        {dataset.documents() / threads * i + dataset.documents() % threads * i / threads,
         dataset.documents() / threads * (i + 1) + dataset.documents() % threads * (i + 1) / threads},
        parts[at]);
  };
  std::vector<std::thread> pool;
  for (int64_t i = 1; i < threads; ++i) pool.emplace_back(work, i);
  work(0);
  for (std::thread& thread : pool) thread.join();
  for (size_t i = 0; i < parts.size(); ++i) {
    RETURN_IF_ERROR(statuses[i]);
    Add(parts[i], stats);
  }
  while (!stats.counts.empty() && stats.counts.back() == 0) stats.counts.pop_back();
  return stats;
}

}  // namespace galley::data
