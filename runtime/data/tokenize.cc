#include "runtime/data/tokenize.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/documents.h"
#include "runtime/data/indexed_dataset_writer.h"
#include "runtime/data/jsonl.h"

namespace galley::data {
namespace {

constexpr auto kProgressEvery = std::chrono::milliseconds(100);

// A chunk on its way through the ring: read, then encoded, then written, in order.
struct Job {
  enum class Phase { kFree, kRead, kEncoding, kEncoded };
  Phase phase = Phase::kFree;
  DocumentChunk chunk;
  const std::string* path = nullptr;  // of the input
  bool jsonl = false;
  int64_t input_bytes = 0;  // of all inputs, read when this chunk was
  std::vector<int32_t> tokens;
  std::vector<int32_t> lengths;
  absl::Status status;
};

// One reader thread, some encoding threads; the caller writes. The ring bounds what is in memory.
class Pipeline {
 public:
  Pipeline(const tokenizer::Tokenizer& tokenizer, const tokenizer::Framing& framing,
           const TokenizeOptions& options)
      : tokenizer_(tokenizer),
        framing_(framing),
        options_(options),
        ring_(static_cast<size_t>(options.workers) * 2 + 2) {
    threads_.emplace_back([this] { ReadAll(); });
    for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { EncodeAll(); });
  }
  ~Pipeline() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The oldest encoded chunk; null at the end. Calls `tick` while it waits.
  Job* Pop(const std::function<void()>& tick) {
    std::unique_lock lock(mutex_);
    Job& job = At(written_);
    while (!(read_done_ && written_ == read_) && job.phase != Job::Phase::kEncoded) {
      changed_.wait_for(lock, kProgressEvery);
      lock.unlock();
      tick();
      lock.lock();
    }
    return read_done_ && written_ == read_ ? nullptr : &job;
  }
  void Release(Job& job) {
    const std::lock_guard lock(mutex_);
    job.phase = Job::Phase::kFree;
    ++written_;
    changed_.notify_all();
  }

 private:
  Job& At(int64_t n) { return ring_[static_cast<size_t>(n) % ring_.size()]; }

  // A free job for the reader; null when the pipeline stops.
  Job* Claim() {
    std::unique_lock lock(mutex_);
    Job& job = At(read_);
    changed_.wait(lock, [&] { return stop_ || job.phase == Job::Phase::kFree; });
    return stop_ ? nullptr : &job;
  }
  void Hand(Job::Phase phase, Job& job) {
    const std::lock_guard lock(mutex_);
    job.phase = phase;
    ++read_;
    changed_.notify_all();
  }

  void ReadAll() {
    int64_t before = 0;
    for (const std::string& path : options_.inputs) {
      const bool jsonl =
          options_.format == TextFormat::kAuto ? IsJsonl(path) : options_.format == TextFormat::kJsonl;
      absl::StatusOr<std::unique_ptr<TextInput>> input = TextInput::Open(path);
      absl::StatusOr<bool> more = input.ok() ? absl::StatusOr<bool>(true) : input.status();
      std::unique_ptr<DocumentReader> reader;
      if (input.ok()) {
        reader = std::make_unique<DocumentReader>(*std::move(input),
                                                  jsonl ? DocumentUnit::kLine : options_.document, !jsonl);
      }
      while (more.ok() && *more) {
        Job* job = Claim();
        if (job == nullptr) return;
        job->path = &path;
        job->jsonl = jsonl;
        more = reader->Next(job->chunk);
        if (!more.ok() || !*more) break;
        job->input_bytes = before + reader->input().consumed();
        Hand(Job::Phase::kRead, *job);
      }
      if (!more.ok()) {
        // The error takes its place in the order, after what was read before it.
        Job* job = Claim();
        if (job == nullptr) return;
        job->status = more.status();
        Hand(Job::Phase::kEncoded, *job);
        break;
      }
      before += reader->input().consumed();
    }
    const std::lock_guard lock(mutex_);
    read_done_ = true;
    changed_.notify_all();
  }

  void EncodeAll() {
    const std::unique_ptr<tokenizer::Encoder> encoder = tokenizer_.NewEncoder();
    std::string storage;
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stop_ || taken_ < read_ || read_done_; });
      if (stop_ || (read_done_ && taken_ == read_)) return;
      Job& job = At(taken_++);
      if (job.phase == Job::Phase::kEncoded) continue;  // the reader's error
      job.phase = Job::Phase::kEncoding;
      lock.unlock();
      job.status = Encode(*encoder, storage, job);
      lock.lock();
      job.phase = Job::Phase::kEncoded;
      changed_.notify_all();
    }
  }

  // Where document `d` of a chunk stands.
  static std::string Place(const Job& job, size_t d) {
    if (job.jsonl) return absl::StrCat(*job.path, ":", job.chunk.first_line + static_cast<int64_t>(d));
    return absl::StrCat(*job.path, ": document ", d, " of those from line ", job.chunk.first_line, " on");
  }

  absl::Status Encode(tokenizer::Encoder& encoder, std::string& storage, Job& job) const {
    job.tokens.clear();
    job.lengths.clear();
    size_t begin = 0;
    for (size_t d = 0; d < job.chunk.ends.size(); ++d) {
      absl::string_view text = absl::string_view(job.chunk.text).substr(begin, job.chunk.ends[d] - begin);
      begin = job.chunk.ends[d];
      if (job.jsonl) {
        if (text.find_first_not_of(" \t\r\n") == absl::string_view::npos)
          continue;  // a blank line is no document
        absl::StatusOr<absl::string_view> found = JsonText(text, options_.json_key, storage);
        if (!found.ok()) {
          return absl::DataLossError(absl::StrCat(
              *job.path, ":", job.chunk.first_line + static_cast<int64_t>(d), ":", found.status().message(),
              "; every line must be a JSON object with a string under '", options_.json_key, "'"));
        }
        text = *found;
      }
      const size_t before = job.tokens.size();
      RETURN_IF_ERROR(Annotate(framing_.Encode(encoder, text, job.tokens), Place(job, d)));
      job.lengths.push_back(static_cast<int32_t>(job.tokens.size() - before));
    }
    return absl::OkStatus();
  }

  const tokenizer::Tokenizer& tokenizer_;
  const tokenizer::Framing& framing_;
  const TokenizeOptions& options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> ring_;
  int64_t read_ = 0;     // jobs handed on by the reader
  int64_t taken_ = 0;    // by encoding threads
  int64_t written_ = 0;  // by the caller
  bool read_done_ = false;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

absl::Status CheckOptions(const TokenizeOptions& options) {
  if (options.inputs.empty()) return absl::InvalidArgumentError("tokenize: no input file is named");
  if (options.workers < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("tokenize: ", options.workers, " workers; give at least 1"));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsJsonl(const std::string& path) {
  const absl::string_view name = WithoutCompression(path);
  return absl::EndsWith(name, ".jsonl") || absl::EndsWith(name, ".ndjson") || absl::EndsWith(name, ".json");
}

double TokenizeProgress::SecondsLeft() const {
  if (input_bytes <= 0) return 0;
  return seconds * static_cast<double>(input_total - input_bytes) / static_cast<double>(input_bytes);
}

std::string DatasetPrefix(const std::string& prefix, const std::string& json_key) {
  return absl::StrCat(prefix, "_", json_key, "_document");
}

absl::StatusOr<TokenizeProgress> Tokenize(const tokenizer::Tokenizer& tokenizer,
                                          const TokenizeOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const tokenizer::Framing framing,
                   tokenizer::Framing::Make(tokenizer, {.add_special_tokens = options.add_special_tokens,
                                                        .append_eod = options.append_eod}));
  TokenizeProgress progress;
  for (const std::string& path : options.inputs) {
    ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
    progress.input_total += size;
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<IndexedDatasetWriter> writer,
                   IndexedDatasetWriter::Create(options.output, TokenTypeFor(tokenizer.vocab()),
                                                {.tokenizer = std::string(tokenizer.kind()),
                                                 .fingerprint = options.tokenizer_fingerprint,
                                                 .vocab = tokenizer.vocab(),
                                                 .eod = tokenizer.eod(),
                                                 .append_eod = options.append_eod,
                                                 .add_special_tokens = options.add_special_tokens,
                                                 .special_tokens_in_text = options.special_tokens_in_text}));
  const absl::Duration start = Clock::Real().SinceStart();
  absl::Duration told = start;
  const auto tell = [&](bool last) {
    const absl::Duration now = Clock::Real().SinceStart();
    if (!options.progress || (!last && now - told < absl::FromChrono(kProgressEvery))) return;
    told = now;
    progress.seconds = absl::ToDoubleSeconds(now - start);
    options.progress(progress);
  };
  Pipeline pipeline(tokenizer, framing, options);
  while (Job* job = pipeline.Pop([&] { tell(false); })) {
    RETURN_IF_ERROR(job->status);
    RETURN_IF_ERROR(writer->AddDocuments(job->tokens, job->lengths));
    progress.documents = writer->documents();
    progress.tokens = writer->tokens();
    progress.text_bytes += static_cast<int64_t>(job->chunk.text.size());
    progress.input_bytes = job->input_bytes;
    pipeline.Release(*job);
    tell(false);
  }
  if (progress.documents == 0) {
    return absl::DataLossError(absl::StrCat(options.inputs.front(),
                                            options.inputs.size() > 1 ? " and the others" : "",
                                            ": no document is in it; name a file that holds text"));
  }
  RETURN_IF_ERROR(writer->Finish());
  progress.input_bytes = progress.input_total;
  tell(true);
  progress.seconds = absl::ToDoubleSeconds(Clock::Real().SinceStart() - start);
  return progress;
}

}  // namespace galley::data
