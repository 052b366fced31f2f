#include "runtime/tensor/scratch.h"

#include <algorithm>

namespace galley {
namespace {

constexpr int64_t kAlign = 64;
constexpr int64_t kSmallestBlock = int64_t{2} << 20;

}  // namespace

int64_t ScratchStack::bytes() const {
  int64_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.buffer.size();
  return bytes;
}

void ScratchStack::Reserve(int64_t bytes) {
  CHECK_EQ(frames_, 0);
  blocks_.clear();
  if (bytes > 0) blocks_.push_back({Buffer(device_, bytes), 0});
}

Scratch::Scratch(ScratchStack& stack) : stack_(stack), in_use_(stack.in_use_) {
  // With no frame open nothing points into the blocks, and several become one, so that the next op
  // finds its bytes in one piece.
  if (stack_.frames_ == 0 && stack_.blocks_.size() > 1) {
    int64_t total = stack_.bytes();
    stack_.blocks_.clear();
    stack_.blocks_.push_back({Buffer(stack_.device_, total), 0});
  }
  ++stack_.frames_;
  block_ = stack_.blocks_.empty() ? 0 : stack_.blocks_.size() - 1;
  used_ = stack_.blocks_.empty() ? 0 : stack_.blocks_.back().used;
}

Scratch::~Scratch() {
  --stack_.frames_;
  stack_.in_use_ = in_use_;
  for (size_t i = block_; i < stack_.blocks_.size(); ++i) {
    stack_.blocks_[i].used = i == block_ ? used_ : 0;
  }
}

void* Scratch::Bytes(int64_t bytes) {
  bytes = (bytes + kAlign - 1) / kAlign * kAlign;
  stack_.in_use_ += bytes;
  stack_.peak_ = std::max(stack_.peak_, stack_.in_use_);
  // A block left by an earlier frame at this depth may follow the current one;
  // use the first with enough left.
  for (size_t i = block_; i < stack_.blocks_.size(); ++i) {
    ScratchStack::Block& block = stack_.blocks_[i];
    if (block.used + bytes <= block.buffer.size()) {
      void* at = block.buffer.data() + block.used;
      block.used += bytes;
      return at;
    }
  }
  stack_.blocks_.push_back({Buffer(stack_.device_, std::max(bytes, kSmallestBlock)), bytes});
  return stack_.blocks_.back().buffer.data();
}

}  // namespace galley
