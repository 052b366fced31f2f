// One rank's file: a safetensors file whose metadata holds, for each tensor, the checksum of its bytes and,
// for a slice of rows, where it stands in the whole tensor. Nothing of time, host or attempt is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"

namespace galley::checkpoint {

// Some rows of a tensor as they lie in a shard.
struct ShardPart {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape = {};  // of the whole tensor
  int64_t row_begin = 0;
  int64_t rows = 0;
  int64_t begin = 0;  // within the data
  int64_t bytes = 0;
  std::string xxh3 = {};  // of the bytes
};

struct ShardIndex {
  std::vector<ShardPart> parts;  // by place
  int64_t data_begin = 0;        // in the file
  int64_t file_bytes = 0;
};

std::string ShardFileName(int rank, int world);

// Rows of a tensor (a scalar has one) and the bytes of one.
int64_t RowsOf(const std::vector<int64_t>& shape);
int64_t RowBytes(const std::vector<int64_t>& shape, DType dtype);

// The parts in file order; `order` gets the item of each. CHECKs that items are sound and their names differ.
std::vector<ShardPart> PlaceItems(const std::vector<Item>& items, std::vector<size_t>& order);
// What stands before the data. The length does not depend on the checksums' values.
std::string ShardHeader(const std::vector<ShardPart>& parts);

// Reads the header only. Errors name the path.
absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path);

// Bytes of the data to copy out while a shard is read; must lie within it.
struct Wanted {
  int64_t begin = 0;
  int64_t bytes = 0;
  std::byte* to = nullptr;
};
// Reads the whole file once, copies what is wanted, and compares the checksum of the whole; when it differs
// the error names the tensors whose bytes are not what was written.
absl::Status ReadShard(const std::string& path, const ShardIndex& index, const std::string& xxh3,
                       std::vector<Wanted> wanted = {});

}  // namespace galley::checkpoint
