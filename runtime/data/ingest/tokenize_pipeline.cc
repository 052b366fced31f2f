#include "runtime/data/ingest/tokenize_pipeline.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/data/ingest/jsonl.h"

namespace galley::data {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

}  // namespace

TokenizePipeline::TokenizePipeline(const tokenizer::Tokenizer& tokenizer, const tokenizer::Framing& framing,
                                   const TokenizeOptions& options, Location from)
    : tokenizer_(tokenizer),
      framing_(framing),
      options_(options),
      from_(from),
      // For each worker a chunk at work and one waiting; besides, one that is read and one that is written.
      ring_(static_cast<size_t>(options.workers) * 2 + 2) {
  threads_.emplace_back([this] { ReadAll(); });
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { EncodeAll(); });
}

TokenizePipeline::~TokenizePipeline() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

TokenizeJob* TokenizePipeline::Pop(const std::function<void()>& tick) {
  MutexLock lock(mutex_);
  TokenizeJob& job = At(written_);
  while (!(read_done_ && written_ == read_) && job.phase != Phase::kEncoded) {
    changed_.wait_for(lock, kTick);
    lock.unlock();  // a tick prints, and nobody must wait for a terminal
    tick();
    lock.lock();
  }
  return read_done_ && written_ == read_ ? nullptr : &job;
}

void TokenizePipeline::Release(TokenizeJob& job) {
  const MutexLock lock(mutex_);
  job.phase = Phase::kFree;
  ++written_;
  changed_.notify_all();
}

// A free job for the reader; null when the pipeline stops.
TokenizeJob* TokenizePipeline::Claim() {
  MutexLock lock(mutex_);
  TokenizeJob& job = At(read_);
  changed_.wait(lock,
                [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || job.phase == Phase::kFree; });
  return stop_ ? nullptr : &job;
}

void TokenizePipeline::Hand(Phase phase, TokenizeJob& job) {
  const MutexLock lock(mutex_);
  job.phase = phase;
  ++read_;
  changed_.notify_all();
}

void TokenizePipeline::ReadAll() {
  int64_t before = 0;  // bytes of the files before this one
  for (size_t i = 0; i < options_.inputs.size(); ++i) {
    const std::string& path = options_.inputs[i];
    if (static_cast<int64_t>(i) < from_.input) {
      before += FileSize(path).value_or(0);
      continue;
    }
    const bool jsonl = IsJsonl(path);
    absl::StatusOr<std::unique_ptr<TextInput>> input = TextInput::Open(path);
    absl::StatusOr<bool> more = input.ok() ? absl::StatusOr<bool>(true) : input.status();
    std::unique_ptr<DocumentReader> reader;
    if (input.ok()) {
      reader = std::make_unique<DocumentReader>(*std::move(input),
                                                jsonl ? DocumentUnit::kLine : options_.document, !jsonl);
      if (static_cast<int64_t>(i) == from_.input) {
        if (absl::Status status = reader->GoOn(from_.text_offset, from_.line); !status.ok()) more = status;
      }
    }
    while (more.ok() && *more) {
      TokenizeJob* job = Claim();
      if (job == nullptr) return;
      job->input = static_cast<int64_t>(i);
      job->jsonl = jsonl;
      more = reader->Next(job->chunk);
      if (!more.ok() || !*more) break;
      job->input_bytes = before + reader->input().consumed();
      Hand(Phase::kRead, *job);
    }
    if (!more.ok()) {
      // The error comes in order, after what was read before it.
      TokenizeJob* job = Claim();
      if (job == nullptr) return;
      job->status = more.status();
      Hand(Phase::kEncoded, *job);
      break;
    }
    before += reader->input().consumed();
  }
  const MutexLock lock(mutex_);
  read_done_ = true;
  changed_.notify_all();
}

void TokenizePipeline::EncodeAll() {
  const std::unique_ptr<tokenizer::Encoder> encoder = tokenizer_.NewEncoder();
  std::string storage;
  MutexLock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return stop_ || taken_ < read_ || read_done_;
    });
    if (stop_ || (read_done_ && taken_ == read_)) return;
    TokenizeJob& job = At(taken_++);
    if (job.phase == Phase::kEncoded) continue;  // the reader's error
    // Until it is kEncoded, nobody else touches the job: it needs no lock meanwhile.
    job.phase = Phase::kEncoding;
    lock.unlock();
    job.status = Encode(*encoder, storage, job);
    lock.lock();
    job.phase = Phase::kEncoded;
    changed_.notify_all();
  }
}

// File and line on which a document of a chunk begins.
std::string TokenizePipeline::Where(const TokenizeJob& job, size_t document) const {
  const auto begin = job.chunk.text.begin();
  const auto end = document == 0 ? begin : begin + static_cast<ptrdiff_t>(job.chunk.ends[document - 1]);
  return absl::StrCat(options_.inputs[static_cast<size_t>(job.input)], ":",
                      job.chunk.first_line + std::count(begin, end, '\n'));
}

absl::Status TokenizePipeline::EncodeOne(tokenizer::Encoder& encoder, std::string& storage, TokenizeJob& job,
                                         size_t document, absl::string_view text) const {
  if (job.jsonl) {
    absl::StatusOr<absl::string_view> found = JsonText(text, options_.json_key, storage);
    if (!found.ok()) {
      return absl::DataLossError(absl::StrCat(Where(job, document), ":", found.status().message(),
                                              "; every line must be a JSON object with a string under '",
                                              options_.json_key, "'"));
    }
    text = *found;
  }
  const size_t before = job.tokens.size();
  if (absl::Status status = framing_.Encode(encoder, text, job.tokens); !status.ok()) {
    job.tokens.resize(before);
    return Annotate(status, Where(job, document));
  }
  job.lengths.push_back(static_cast<int32_t>(job.tokens.size() - before));
  return absl::OkStatus();
}

absl::Status TokenizePipeline::Encode(tokenizer::Encoder& encoder, std::string& storage,
                                      TokenizeJob& job) const {
  job.tokens.clear();
  job.lengths.clear();
  job.bad.clear();
  size_t begin = 0;
  for (size_t d = 0; d < job.chunk.ends.size(); ++d) {
    const absl::string_view text = absl::string_view(job.chunk.text).substr(begin, job.chunk.ends[d] - begin);
    begin = job.chunk.ends[d];
    // A blank line of JSONL is no document.
    if (job.jsonl && text.find_first_not_of(" \t\r\n") == absl::string_view::npos) continue;
    absl::Status status = EncodeOne(encoder, storage, job, d, text);
    if (status.ok()) continue;
    if (options_.skip_bad == 0) return status;
    job.bad.emplace_back(status.message());
    if (static_cast<int64_t>(job.bad.size()) > options_.skip_bad) return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace galley::data
