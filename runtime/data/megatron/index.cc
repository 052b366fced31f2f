#include "runtime/data/megatron/index.h"

#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/data/megatron/numpy_random.h"

namespace galley::data {
namespace {

constexpr int64_t kMaxDocuments = int64_t{1} << 34;  // positions: 64 GiB of document index
constexpr int64_t kAhead = 16;                       // documents fetched before they are looked at

// Calls work(begin, end) on `threads` equal parts of [0, n), cut at multiples of `grain`.
template <class Work>
void InParallel(int64_t n, int64_t grain, int threads, Work work) {
  const int64_t grains = (n + grain - 1) / grain;
  // For fewer grains a thread costs more than it saves.
  const int64_t count = std::clamp<int64_t>(threads, 1, std::max<int64_t>(grains / 1024, 1));
  const auto cut = [&](int64_t i) { return std::min(n, grains * i / count * grain); };
  std::vector<std::thread> pool;
  for (int64_t i = 1; i < count; ++i) pool.emplace_back([&, i] { work(cut(i), cut(i + 1)); });
  work(cut(0), cut(1));
  for (std::thread& thread : pool) thread.join();
}

}  // namespace

absl::StatusOr<int64_t> SumLengths(const SequenceLengths& lengths, Range sequences) {
  int64_t sum = 0;
  int32_t least = 0;
  for (int64_t s = sequences.begin; s < sequences.end; ++s) {
    const int32_t length = lengths[s];
    sum += length;
    least = std::min(least, length);
  }
  if (least >= 0) return sum;
  int64_t bad = sequences.begin;
  while (lengths[bad] >= 0) ++bad;
  return absl::DataLossError(absl::StrCat("the length of sequence ", bad, " is ", lengths[bad]));
}

absl::StatusOr<MegatronIndex> MegatronIndex::Build(const SequenceLengths& lengths, Range documents,
                                                   const MegatronEpochs& epochs, int64_t length,
                                                   uint32_t seed, int threads) {
  CHECK(epochs.epochs > 0 && documents.begin >= 0 && documents.end <= lengths.size());
  if (lengths.size() > INT32_MAX) {
    return absl::ResourceExhaustedError(absl::StrCat(
        lengths.size(), " sequences; order: megatron counts them in 32 bits: use order: galley"));
  }
  const int64_t count = documents.size();
  if (epochs.epochs > kMaxDocuments / std::max<int64_t>(count, 1)) {
    return absl::ResourceExhaustedError(absl::StrCat(epochs.epochs, " epochs of ", count,
                                                     " sequences make too long an index: use order: galley"));
  }
  MegatronIndex index;
  index.length_ = length;
  index.lengths_ = lengths;
  index.document_index_.resize(static_cast<size_t>(count * epochs.epochs));
  for (int64_t e = 0; e < epochs.epochs; ++e) {
    const auto at = index.document_index_.begin() + e * count;
    std::iota(at, at + count, static_cast<int32_t>(documents.begin));
  }
  // One generator for both shuffles, in this order.
  NumpyRandom random(seed);
  const std::span all = std::span(index.document_index_);
  const auto together =
      static_cast<size_t>(count * (epochs.separate_last ? epochs.epochs - 1 : epochs.epochs));
  random.Shuffle(all.first(together));
  random.Shuffle(all.subspan(together));
  // The marks need the document index, which is done; the sample shuffle needs the generator: side by side.
  std::thread marker([&] { index.Mark(threads); });
  index.shuffle_.resize(static_cast<size_t>(epochs.samples));
  std::iota(index.shuffle_.begin(), index.shuffle_.end(), 0U);
  const std::span samples = std::span(index.shuffle_);
  random.Shuffle(samples.first(static_cast<size_t>(epochs.before_last)));
  random.Shuffle(samples.subspan(static_cast<size_t>(epochs.before_last)));
  marker.join();
  if ((index.marks_.back() - 1) / length != epochs.samples) {
    return absl::DataLossError(absl::StrCat("the sequences hold ", index.marks_.back(), " tokens in ",
                                            epochs.epochs, " epochs, not those of the data plan"));
  }
  return index;
}

int64_t MegatronIndex::Bytes(int64_t documents, const MegatronEpochs& epochs) {
  const int64_t positions = documents * epochs.epochs;
  return positions * static_cast<int64_t>(sizeof(int32_t)) +
         ((positions + kMark - 1) / kMark + 1) * static_cast<int64_t>(sizeof(int64_t)) +
         epochs.samples * static_cast<int64_t>(sizeof(uint32_t));
}

void MegatronIndex::Mark(int threads) {
  marks_.assign(static_cast<size_t>((positions() + kMark - 1) / kMark + 1), 0);
  InParallel(positions(), kMark, threads, [this](int64_t begin, int64_t end) {
    for (int64_t from = begin; from < end; from += kMark) {
      int64_t sum = 0;
      for (int64_t p = from; p < std::min(end, from + kMark); ++p) {
        if (p + kMark < end)
          __builtin_prefetch(lengths_.Address(document_index_[static_cast<size_t>(p + kMark)]));
        sum += LengthAt(p);
      }
      marks_[static_cast<size_t>(from / kMark + 1)] = sum;
    }
  });
  std::partial_sum(marks_.begin(), marks_.end(), marks_.begin());
}

MegatronIndex::Location MegatronIndex::Find(int64_t token) const {
  // The last mark at or below the token; documents without tokens may give several marks one value.
  const auto mark = std::upper_bound(marks_.begin(), marks_.end(), token) - marks_.begin() - 1;
  Location location{mark * kMark, token - marks_[static_cast<size_t>(mark)]};
  while (location.position < positions()) {
    const int64_t length = LengthAt(location.position);
    if (location.offset < length) break;
    location.offset -= length;
    ++location.position;
  }
  return location;
}

template <class Value>
void BuildSampleIndex(const SequenceLengths& lengths, std::span<const int32_t> document_index, int64_t length,
                      int threads, std::span<Value> rows) {
  CHECK(rows.size() >= 2 && rows.size() % 2 == 0 && length > 0);
  const auto positions = static_cast<int64_t>(document_index.size());
  const auto samples = static_cast<int64_t>(rows.size() / 2 - 1);
  const auto length_at = [&](int64_t position) -> int64_t {
    const int64_t ahead = position + kAhead;
    if (ahead < positions) __builtin_prefetch(lengths.Address(document_index[static_cast<size_t>(ahead)]));
    return lengths[document_index[static_cast<size_t>(position)]];
  };
  // The first row is the first document, even one without tokens.
  rows[0] = 0;
  rows[1] = 0;
  // Rows of the tokens that lie in documents [begin, end), of which the first begins at `token`.
  const auto emit = [&](int64_t begin, int64_t end, int64_t token) {
    int64_t row = std::max<int64_t>(1, (token + length - 1) / length);
    int64_t next = row * length - token;  // from the document's first token
    for (int64_t p = begin; p < end; ++p) {
      const int64_t have = length_at(p);
      for (; next < have; next += length) {
        if (row > samples) return;
        rows[static_cast<size_t>(2 * row)] = static_cast<Value>(p);
        rows[static_cast<size_t>(2 * row + 1)] = static_cast<Value>(next);
        ++row;
      }
      next -= have;
    }
  };
  const int64_t parts = std::clamp<int64_t>(threads, 1, std::max<int64_t>(positions >> 14, 1));
  if (parts == 1) return emit(0, positions, 0);
  // Where each part begins is known when those before it are summed.
  const auto cut = [&](int64_t part) { return positions * part / parts; };
  std::vector<int64_t> begins(static_cast<size_t>(parts) + 1, 0);
  const auto on_all = [&](auto work) {
    std::vector<std::thread> pool;
    for (int64_t i = 1; i < parts; ++i) pool.emplace_back([&, i] { work(i); });
    work(int64_t{0});
    for (std::thread& thread : pool) thread.join();
  };
  on_all([&](int64_t part) {
    int64_t sum = 0;
    for (int64_t p = cut(part); p < cut(part + 1); ++p) sum += length_at(p);
    begins[static_cast<size_t>(part) + 1] = sum;
  });
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  on_all([&](int64_t part) { emit(cut(part), cut(part + 1), begins[static_cast<size_t>(part)]); });
}

template void BuildSampleIndex(const SequenceLengths&, std::span<const int32_t>, int64_t, int,
                               std::span<int32_t>);
template void BuildSampleIndex(const SequenceLengths&, std::span<const int32_t>, int64_t, int,
                               std::span<int64_t>);

}  // namespace galley::data
