// The whole of a data set against its metadata and a vocabulary, in one pass over each file.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/data/store/dataset_info.h"
#include "runtime/data/store/faults.h"

namespace galley::data {
namespace {

// Faults of a file, by offset: which thread found which does not show.
using Found = std::vector<std::pair<int64_t, absl::Status>>;

void VerifyBin(const IndexedDataset& dataset, const BlockSums* sums, int64_t vocab, int threads,
               std::vector<absl::Status>& faults) {
  const int64_t item = ItemSize(dataset.type());
  const int64_t block_tokens = kSumBlock / item;
  const int64_t blocks = (dataset.tokens() + block_tokens - 1) / block_tokens;
  std::atomic<int64_t> next{0};
  Mutex mutex;
  Found found;
  const auto work = [&] {
    std::vector<int32_t> tokens(static_cast<size_t>(std::min(block_tokens, dataset.tokens())));
    std::vector<std::byte> bytes(tokens.size() * static_cast<size_t>(item));
    for (int64_t block = next.fetch_add(1); block < blocks; block = next.fetch_add(1)) {
      const int64_t begin = block * block_tokens;
      const auto count = static_cast<size_t>(std::min(block_tokens, dataset.tokens() - begin));
      const std::span ids = std::span(tokens).first(count);
      absl::Status status = dataset.Read(begin, ids, bytes);
      if (status.ok() && sums != nullptr &&
          Hash64(std::span<const std::byte>(bytes).first(count * static_cast<size_t>(item))) !=
              sums->blocks[static_cast<size_t>(block)]) {
        status = ChecksumDiffers(dataset.bin_path(), begin * item, static_cast<int64_t>(count) * item);
      }
      if (status.ok() && vocab > 0) status = CheckIds(dataset, begin, ids, vocab);
      if (status.ok()) continue;
      const MutexLock lock(mutex);
      found.emplace_back(begin, std::move(status));
    }
  };
  std::vector<std::thread> pool;
  const int64_t count = std::clamp<int64_t>(threads, 1, std::max<int64_t>(blocks, 1));
  for (int64_t i = 1; i < count; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [offset, status] : found) {
    if (faults.size() < kMaxFaults) faults.push_back(std::move(status));
  }
}

}  // namespace

absl::Status CompareIndexSums(const IndexedDataset& dataset, const BlockSums& sums) {
  std::ifstream file(dataset.idx_path(), std::ios::binary);
  std::vector<char> bytes(static_cast<size_t>(std::min(kSumBlock, sums.bytes)));
  for (size_t block = 0; block < sums.blocks.size(); ++block) {
    const int64_t begin = static_cast<int64_t>(block) * kSumBlock;
    const int64_t size = std::min(kSumBlock, sums.bytes - begin);
    file.read(bytes.data(), size);
    if (!file || Hash64(absl::string_view(bytes.data(), static_cast<size_t>(size))) != sums.blocks[block]) {
      return ChecksumDiffers(dataset.idx_path(), begin, size);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<VerifyReport> VerifyDataset(const std::string& prefix, const VerifyOptions& options) {
  ASSIGN_OR_RETURN(const IndexedDataset dataset, IndexedDataset::Open(prefix));
  VerifyReport report;
  report.info.type = dataset.type();
  report.info.documents = dataset.documents();
  report.info.sequences = dataset.sequences();
  report.info.tokens = dataset.tokens();
  if (absl::Status status = dataset.Verify(); !status.ok()) report.faults.push_back(status);
  report.vocab = options.vocab;
  const BlockSums* sums = nullptr;
  absl::StatusOr<std::optional<DatasetInfo>> info = ReadDatasetInfo(prefix);
  if (!info.ok()) {
    report.faults.push_back(info.status());
  } else if (info->has_value()) {
    report.has_info = true;
    if (absl::Status same = CheckDatasetInfo(dataset, **info); !same.ok()) {
      // Other sizes: the checksums belong to other files, and all of them would differ.
      report.faults.push_back(same);
    } else {
      report.info = **std::move(info);
      sums = &report.info.bin;
      if (absl::Status same = CompareIndexSums(dataset, report.info.idx); !same.ok()) {
        report.faults.push_back(same);
      }
      const DatasetOrigin& origin = report.info.origin;
      if (report.vocab == 0) report.vocab = origin.vocab;
      if (!options.tokenizer_fingerprint.empty() && !origin.fingerprint.empty() &&
          options.tokenizer_fingerprint != origin.fingerprint) {
        report.faults.push_back(absl::FailedPreconditionError(absl::StrCat(
            DatasetInfoPath(prefix), ": the data set was made with a tokenizer ", origin.tokenizer,
            " of fingerprint ", origin.fingerprint, "; the one given has ", options.tokenizer_fingerprint,
            ": its files are others, or were changed; give those the data set was made with")));
      }
    }
  }
  VerifyBin(dataset, sums, report.vocab, options.threads, report.faults);
  return report;
}

}  // namespace galley::data
