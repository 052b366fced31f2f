// The safetensors format: u64 little-endian header length | JSON header | data
// (https://huggingface.co/docs/safetensors). Reading takes hostile bytes: nothing is allocated by a size
// that the file merely claims.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/tensor/dtype.h"

namespace galley::checkpoint {

inline constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

struct StoredTensor {
  std::string name;
  std::string dtype = {};  // the format's name: "F32"
  std::vector<int64_t> shape = {};
  int64_t begin = 0;  // within the data
  int64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;  // by position: the first at 0, each where the one before ends
  int64_t data_begin = 0;             // in the file
  int64_t data_bytes() const { return tensors.empty() ? 0 : tensors.back().end; }
  int64_t file_bytes() const { return data_begin + data_bytes(); }
};

// Names of element types; those Galley computes with.
absl::string_view SafetensorsName(DType dtype);
std::optional<DType> DTypeOfSafetensors(absl::string_view name);

// Sets begin and end: largest element type first, then by name, so that each is aligned to its own
// size. Names must differ and be UTF-8.
void AssignOffsets(std::vector<StoredTensor>& tensors);
// Length and header of tensors that have offsets, padded so that the data begin at a multiple of 64 bytes.
std::string HeaderText(const std::vector<StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata);

// The header of a file of `file_bytes`, of which `start` holds the first bytes: at least all of the header,
// or the whole file. kDataLoss says what is wrong and at which tensor.
absl::StatusOr<SafetensorsHeader> ParseSafetensors(absl::string_view start, int64_t file_bytes);

// Reads just the header of a file. Errors name the path.
absl::StatusOr<SafetensorsHeader> ReadSafetensorsHeader(const std::string& path);

}  // namespace galley::checkpoint
