// The ids of data sets, for a submission's check that the model's vocabulary holds them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "runtime/data/store/indexed_dataset.h"

namespace galley::service {

// By the bound that is written beside a data set, where its .bin is as its writer left it; else by reading
// all of it, once for as long as its files stay what they are: submissions at the same time share one read.
// Thread-safe; reads files, so it is not for the controller's lock.
class LargestIds {
 public:
  using Reader = std::function<absl::StatusOr<data::IdRange>(const data::IndexedDataset&, int threads)>;
  explicit LargestIds(Reader reader = data::ReadIdRange) : reader_(std::move(reader)) {}

  // What IndexedDataset::Open says of the data set; kInvalidArgument naming an id outside [0, vocab) and
  // where it is.
  absl::Status Check(const std::string& prefix, int64_t vocab, int threads);

 private:
  // Device, inode, size, modification and change of .bin and .idx.
  using Fingerprint = std::array<int64_t, 10>;
  struct Entry {
    std::optional<absl::StatusOr<data::IdRange>> ids;  // none: somebody reads them now
  };
  static absl::StatusOr<Fingerprint> FingerprintOf(const std::string& prefix);
  absl::StatusOr<data::IdRange> IdsOf(const data::IndexedDataset& dataset, const Fingerprint& fingerprint,
                                      int threads);
  absl::StatusOr<data::IdRange> Read(const data::IndexedDataset& dataset, const Fingerprint& fingerprint,
                                     int threads);

  const Reader reader_;
  Mutex mutex_;
  CondVar was_read_;
  std::map<Fingerprint, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace galley::service
