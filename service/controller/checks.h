// What a recipe needs of the machine: its data, space on disk, memory.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/data/store/indexed_dataset.h"
#include "runtime/prepare/prepare.h"

namespace galley::service {

// The largest token id of data sets: by what is written beside them, else by reading them, once for each
// fingerprint. Thread-safe; reads files, so it is not for the controller's lock.
class LargestIds {
 public:
  // kInvalidArgument naming the first id outside [0, vocab) and its position.
  absl::Status Check(const data::IndexedDataset& dataset, int64_t vocab, int threads);

 private:
  // What a fingerprint of a data set without metadata is known to fit: ids are below the number.
  Mutex mutex_;
  std::map<uint64_t, int64_t> bounds_ ABSL_GUARDED_BY(mutex_);
};

// Appends a fault, with the location of the field it is about, for everything that would make the run fail
// later.
void CheckMachine(const prepare::Prepared& prepared, const recipe::RecipeText& text,
                  const std::string& run_dir, int64_t memory_bytes, LargestIds& largest_ids,
                  std::vector<recipe::Fault>* faults);

}  // namespace galley::service
