#include "runtime/tensor/stream.h"

#include <algorithm>

namespace galley {
namespace {

constexpr int64_t kAlign = 64;
constexpr int64_t kSmallestBlock = int64_t{2} << 20;

}  // namespace

int64_t CpuStream::scratch_bytes() const {
  int64_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.buffer.size();
  return bytes;
}

Scratch::Scratch(CpuStream& stream) : stream_(stream) {
  // With no frame open, several blocks become one, so that the next op finds its bytes in one piece.
  if (stream_.frames_ == 0 && stream_.blocks_.size() > 1) {
    int64_t total = stream_.scratch_bytes();
    stream_.blocks_.clear();
    stream_.blocks_.push_back({Buffer(total), 0});
  }
  ++stream_.frames_;
  block_ = stream_.blocks_.empty() ? 0 : stream_.blocks_.size() - 1;
  used_ = stream_.blocks_.empty() ? 0 : stream_.blocks_.back().used;
}

Scratch::~Scratch() {
  --stream_.frames_;
  for (size_t i = block_; i < stream_.blocks_.size(); ++i) {
    stream_.blocks_[i].used = i == block_ ? used_ : 0;
  }
}

void* Scratch::Bytes(int64_t bytes) {
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  // A block left by an earlier frame at this depth may follow the current one; use the first with room.
  for (size_t i = block_; i < stream_.blocks_.size(); ++i) {
    CpuStream::Block& block = stream_.blocks_[i];
    if (block.used + bytes <= block.buffer.size()) {
      void* at = block.buffer.data() + block.used;
      block.used += bytes;
      return at;
    }
  }
  stream_.blocks_.push_back({Buffer(std::max(bytes, kSmallestBlock)), bytes});
  return stream_.blocks_.back().buffer.data();
}

}  // namespace galley
