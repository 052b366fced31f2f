#include "service/controller/largest_ids.h"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/base/status.h"
#include "runtime/data/store/dataset_info.h"

namespace galley::service {
namespace {

constexpr size_t kBinChange = 4, kIdxChange = 9;  // in a fingerprint
constexpr size_t kMostEntries = 1 << 16;          // some 200 bytes each; a blend has thousands of data sets

int64_t Nanoseconds(const struct timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

absl::StatusOr<struct stat> StatOf(const std::string& path) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return ErrnoStatus(errno, path);
  return st;
}

// Whether the .bin is the one that the metadata was written for. The writer ends the .bin, gives it its name,
// and then does the same with the metadata. So what an editor, cp or scp wrote under this name has no change
// after its modification; what was written since has a newer modification than the metadata; what was put
// here with an older modification kept (mv, cp -p) has a newer change. Where a coarse clock gives a tie
// nothing is known. A .bin that does not pass is read: no harm is done. The .idx holds no ids, and its token
// type is in the metadata. A copy whose attributes or name were changed afterwards looks as if the writer had
// renamed it: what was wrong in it before is found by the rank that meets it.
bool IsAsWritten(const data::IndexedDataset& dataset) {
  const absl::StatusOr<struct stat> bin = StatOf(dataset.bin_path());
  const absl::StatusOr<struct stat> info = StatOf(data::DatasetInfoPath(dataset.prefix()));
  return bin.ok() && info.ok() && Nanoseconds(bin->st_mtim) < Nanoseconds(bin->st_ctim) &&
         Nanoseconds(bin->st_mtim) < Nanoseconds(info->st_mtim) &&
         Nanoseconds(bin->st_ctim) <= Nanoseconds(info->st_ctim);
}

// None: not written, or not for this .bin.
std::optional<int64_t> WrittenBound(const data::IndexedDataset& dataset) {
  if (!IsAsWritten(dataset)) return std::nullopt;
  const absl::StatusOr<std::optional<data::DatasetInfo>> info = data::ReadDatasetInfo(dataset.prefix());
  if (!info.ok() || !info->has_value() || !data::CheckDatasetInfo(dataset, **info).ok()) return std::nullopt;
  return (*info)->ids_below;
}

// No value of the type is outside the vocabulary.
bool HoldsEveryId(int64_t vocab, data::TokenType type) {
  return (type == data::TokenType::kU8 && vocab > 0xff) || (type == data::TokenType::kU16 && vocab > 0xffff);
}

}  // namespace

absl::StatusOr<LargestIds::Fingerprint> LargestIds::FingerprintOf(const std::string& prefix) {
  Fingerprint fingerprint;
  size_t next = 0;
  for (const char* end : {".bin", ".idx"}) {
    ASSIGN_OR_RETURN(const struct stat st, StatOf(prefix + end));
    for (const int64_t value : {static_cast<int64_t>(st.st_dev), static_cast<int64_t>(st.st_ino),
                                int64_t{st.st_size}, Nanoseconds(st.st_mtim), Nanoseconds(st.st_ctim)}) {
      fingerprint.at(next++) = value;
    }
  }
  return fingerprint;
}

absl::Status LargestIds::Check(const std::string& prefix, int64_t vocab, int threads) {
  // Before the files are opened: what is read is then never kept under the name of newer ones.
  const absl::StatusOr<Fingerprint> fingerprint = FingerprintOf(prefix);
  ASSIGN_OR_RETURN(const data::IndexedDataset dataset, data::IndexedDataset::Open(prefix));
  RETURN_IF_ERROR(fingerprint.status());
  if (HoldsEveryId(vocab, dataset.type())) return absl::OkStatus();
  if (WrittenBound(dataset).value_or(vocab + 1) <= vocab) return absl::OkStatus();
  // A bound that is too high: the ids are read all the same, so that the fault says where.
  ASSIGN_OR_RETURN(const data::IdRange ids, IdsOf(dataset, *fingerprint, threads));
  return data::CheckIdRange(dataset, ids, vocab);
}

absl::StatusOr<data::IdRange> LargestIds::IdsOf(const data::IndexedDataset& dataset,
                                                const Fingerprint& fingerprint, int threads) {
  {
    MutexLock lock(mutex_);
    if (entries_.size() >= kMostEntries) {
      std::erase_if(entries_, [](const auto& entry) { return entry.second->ids.has_value(); });
    }
    const auto [at, first] = entries_.try_emplace(fingerprint);
    if (first) at->second = std::make_shared<Entry>();
    if (!first) {
      const std::shared_ptr<Entry> entry = at->second;
      was_read_.wait(lock, [&] { return entry->ids.has_value(); });
      return *entry->ids;
    }
  }
  return Read(dataset, fingerprint, threads);
}

absl::StatusOr<data::IdRange> LargestIds::Read(const data::IndexedDataset& dataset,
                                               const Fingerprint& fingerprint, int threads) {
  // Of the clock that files are stamped by. Two writes in one tick of it cannot be told apart: what was
  // changed in the tick in which the read begins is not kept.
  struct timespec begun {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &begun);
  const bool settled = std::max(fingerprint[kBinChange], fingerprint[kIdxChange]) < Nanoseconds(begun);
  const absl::StatusOr<data::IdRange> ids = reader_(dataset, threads);
  // Something may have written the files meanwhile.
  const absl::StatusOr<Fingerprint> now = FingerprintOf(dataset.prefix());
  const MutexLock lock(mutex_);
  const auto entry = entries_.find(fingerprint);
  entry->second->ids = ids;
  if (!settled || !ids.ok() || !now.ok() || *now != fingerprint) entries_.erase(entry);
  was_read_.notify_all();
  return ids;
}

}  // namespace galley::service
