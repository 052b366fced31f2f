// Reading and encoding, in threads; the caller writes. Private to Tokenize.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"
#include "runtime/data/ingest/documents.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/tokenizer/framing.h"

namespace galley::data {

// A chunk on its way through the ring: read, then encoded, then written, in order.
struct TokenizeJob {
  enum class Phase { kFree, kRead, kEncoding, kEncoded };
  Phase phase = Phase::kFree;
  DocumentChunk chunk;
  int64_t input = 0;  // index of the file
  bool jsonl = false;
  int64_t input_bytes = 0;  // of all inputs, read when this chunk was
  std::vector<int32_t> tokens;
  std::vector<int32_t> lengths;
  std::vector<std::string> bad;  // documents that were left out, and why; skip_bad + 1 at most
  absl::Status status;
};

// One reader thread, some encoding threads. The ring bounds what is in memory.
class TokenizePipeline {
 public:
  struct Location {
    int64_t input = 0;
    int64_t text_offset = 0;
    int64_t line = 1;
  };
  TokenizePipeline(const tokenizer::Tokenizer& tokenizer, const tokenizer::Framing& framing,
                   const TokenizeOptions& options, Location from);
  ~TokenizePipeline();

  // The oldest encoded chunk; null at the end. Calls `tick` while it waits.
  TokenizeJob* Pop(const std::function<void()>& tick);
  void Release(TokenizeJob& job);

 private:
  using Phase = TokenizeJob::Phase;
  TokenizeJob& At(int64_t n) { return ring_[static_cast<size_t>(n) % ring_.size()]; }
  TokenizeJob* Claim();
  void Hand(Phase phase, TokenizeJob& job);
  void ReadAll();
  void EncodeAll();
  std::string Where(const TokenizeJob& job, size_t document) const;
  absl::Status EncodeOne(tokenizer::Encoder& encoder, std::string& storage, TokenizeJob& job, size_t document,
                         absl::string_view text) const;
  absl::Status Encode(tokenizer::Encoder& encoder, std::string& storage, TokenizeJob& job) const;

  const tokenizer::Tokenizer& tokenizer_;
  const tokenizer::Framing& framing_;
  const TokenizeOptions& options_;
  const Location from_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<TokenizeJob> ring_;
  int64_t read_ ABSL_GUARDED_BY(mutex_) = 0;     // jobs handed on by the reader
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;    // by encoding threads
  int64_t written_ ABSL_GUARDED_BY(mutex_) = 0;  // by the caller
  bool read_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace galley::data
