// One rank's file: a safetensors file whose metadata holds, for each tensor, the checksum of its bytes and,
// for a slice, its position in the whole tensor. Nothing of time, host or attempt is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/overlap.h"
#include "runtime/checkpoint/safetensors.h"

namespace galley::checkpoint {

// A slice of a tensor in a shard, in C order.
struct ShardPart {
  std::string key;  // in the header: the tensor's name, or name and slice where a shard has several of it
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape = {};  // of the whole tensor
  plan::Slice slice = {};
  int64_t begin = 0;  // within the data
  int64_t bytes = 0;
  std::string xxh3 = {};  // of the bytes
};

struct ShardIndex {
  std::vector<ShardPart> parts;  // by position
  int64_t data_begin = 0;        // in the file
  int64_t file_bytes = 0;
};

std::string ShardFileName(int rank, int world);

// The parts in file order; `order` gets the item of each. CHECKs that items are valid and differ.
std::vector<ShardPart> PartsOf(const std::vector<Item>& items, std::vector<size_t>& order);
// What comes before the data. The length does not depend on the checksums' values.
std::string ShardHeader(const std::vector<ShardPart>& parts);

// Hostile headers are fine: kDataLoss names the tensor. What the shards of a checkpoint hold together is
// checked by AssembleTensors.
absl::StatusOr<ShardIndex> IndexOf(const SafetensorsHeader& header);
// Reads the header only. Errors name the path.
absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path);

// What to copy out of a part, which begins at `begin` of the data, while the shard is read.
struct Wanted {
  int64_t begin = 0;
  Overlap overlap;
  std::byte* to = nullptr;  // on the stream's device
};
// Reads the whole file once, copies what is wanted by `stream`, and compares the checksum of the whole; when
// it differs the error names the tensors whose bytes are not what was written.
absl::Status ReadShard(Stream& stream, const std::string& path, const ShardIndex& index,
                       const std::string& xxh3, std::vector<Wanted> wanted);
// The same, for the checksum alone.
absl::Status VerifyShard(const std::string& path, const ShardIndex& index, const std::string& xxh3);

}  // namespace galley::checkpoint
