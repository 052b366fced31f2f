#include "runtime/data/ingest/tokenize.h"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/file_lock.h"
#include "runtime/base/status.h"
#include "runtime/data/ingest/tokenize_pipeline.h"
#include "runtime/data/ingest/tokenize_state.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley::data {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(100);

absl::Status CheckOptions(const TokenizeOptions& options) {
  if (options.inputs.empty()) return absl::InvalidArgumentError("tokenize: no input file is named");
  if (options.workers < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("tokenize: ", options.workers, " workers; give at least 1"));
  }
  return absl::OkStatus();
}

// One tokenisation: what is written, and how far it has got.
class Tokenization {
 public:
  Tokenization(const tokenizer::Tokenizer& tokenizer, const tokenizer::Framing& framing,
               const TokenizeOptions& options)
      : tokenizer_(tokenizer), framing_(framing), options_(options) {}

  absl::StatusOr<TokenizeProgress> Run() {
    for (const std::string& path : options_.inputs) {
      ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
      progress_.input_total += size;
    }
    RETURN_IF_ERROR(Begin());
    absl::Status status = Work();
    if (!status.ok() && durable_) {
      status = absl::Status(status.code(),
                            absl::StrCat(status.message(), " (the first ", state_.written.documents,
                                         " documents are kept; the same command goes on after them)"));
    }
    RETURN_IF_ERROR(status);
    return progress_;
  }

 private:
  // A new writer, or one that goes on.
  absl::Status Begin() {
    ASSIGN_OR_RETURN(std::optional<TokenizeIdentity> identity, IdentityOf(tokenizer_, options_));
    const TokenType type = TokenTypeFor(tokenizer_.vocab());
    const DatasetOrigin origin{.tokenizer = std::string(tokenizer::Name(tokenizer_.kind())),
                               .fingerprint = options_.tokenizer_fingerprint,
                               .vocab = tokenizer_.vocab(),
                               .eod = tokenizer_.eod(),
                               .append_eod = options_.append_eod,
                               .add_special_tokens = options_.add_special_tokens,
                               .special_tokens_in_text = options_.special_tokens_in_text};
    if (!identity.has_value()) {
      ASSIGN_OR_RETURN(writer_, IndexedDatasetWriter::Create(options_.output, type, origin));
      return absl::OkStatus();
    }
    resumable_ = true;
    RETURN_IF_ERROR(MakeDirs(DirName(options_.output)));
    // Before any look at the state, which another process may be writing.
    RETURN_IF_ERROR(TakeLock());
    if (options_.restart) RETURN_IF_ERROR(RemoveState());
    ASSIGN_OR_RETURN(std::optional<TokenizeState> stopped, ReadTokenizeState(options_.output));
    if (!stopped.has_value()) {
      state_.identity = *std::move(identity);
      ASSIGN_OR_RETURN(writer_, IndexedDatasetWriter::CreateResumable(options_.output, type, origin));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckSameTokenization(*stopped, *identity, TokenizeStatePath(options_.output)));
    absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> writer =
        IndexedDatasetWriter::Resume(options_.output, type, origin, stopped->written);
    if (!writer.ok()) {
      return absl::Status(writer.status().code(),
                          absl::StrCat(writer.status().message(), "; `--restart` begins anew"));
    }
    writer_ = *std::move(writer);
    state_ = *std::move(stopped);
    durable_ = true;
    progress_.documents = progress_.resumed_documents = state_.written.documents;
    progress_.tokens = state_.written.tokens;
    progress_.text_bytes = progress_.resumed_text_bytes = state_.text_bytes;
    progress_.input_bytes = progress_.resumed_input_bytes = state_.input_bytes;
    progress_.bad_lines = state_.bad_lines;
    return absl::OkStatus();
  }

  absl::Status Work() {
    if (!state_.finished) RETURN_IF_ERROR(Encode());
    if (progress_.documents == 0) {
      return absl::DataLossError(absl::StrCat(options_.inputs.front(),
                                              options_.inputs.size() > 1 ? " and the others" : "",
                                              ": no document is in it; name a file that holds text"));
    }
    // Saved before the files get their names: who is stopped in between has nothing more to encode.
    if (durable_ && !state_.finished) {
      state_.finished = true;
      RETURN_IF_ERROR(MakeDurable());
    }
    RETURN_IF_ERROR(writer_->Finish());
    if (resumable_) {
      RETURN_IF_ERROR(RemoveState());
      writer_->RemoveTemporaries();
    }
    progress_.input_bytes = progress_.input_total;
    Tell(true);
    return absl::OkStatus();
  }

  absl::Status Encode() {
    TokenizePipeline pipeline(tokenizer_, framing_, options_,
                              {state_.input, state_.text_offset, state_.next_line});
    while (TokenizeJob* job = pipeline.Pop([&] { Tell(false); })) {
      RETURN_IF_ERROR(job->status);
      RETURN_IF_ERROR(TakeBad(*job));
      RETURN_IF_ERROR(writer_->AddDocuments(job->tokens, job->lengths));
      progress_.documents = writer_->documents();
      progress_.tokens = writer_->tokens();
      progress_.text_bytes += static_cast<int64_t>(job->chunk.text.size());
      progress_.input_bytes = job->input_bytes;
      state_.input = job->input;
      state_.text_offset = job->chunk.text_end;
      state_.next_line = job->chunk.next_line;
      pipeline.Release(*job);
      const int64_t written = progress_.tokens * ItemSize(TokenTypeFor(tokenizer_.vocab()));
      if (resumable_ && written - state_.written.bin.bytes >= options_.durable_bytes) {
        RETURN_IF_ERROR(MakeDurable());
      }
      Tell(false);
    }
    return absl::OkStatus();
  }

  absl::Status TakeBad(const TokenizeJob& job) {
    for (const std::string& bad : job.bad) {
      if (progress_.bad_lines == options_.skip_bad) {
        return absl::DataLossError(
            absl::StrCat(bad, " (", progress_.bad_lines, " others were left out, as --skip-bad allows)"));
      }
      ++progress_.bad_lines;
      if (options_.bad_line) options_.bad_line(bad);
    }
    return absl::OkStatus();
  }

  // The data first, then the state that counts them: a
  // crash in between leaves the older state, which is true.
  absl::Status MakeDurable() {
    ASSIGN_OR_RETURN(state_.written, writer_->MakeDurable());
    state_.input_bytes = progress_.input_bytes;
    state_.text_bytes = progress_.text_bytes;
    state_.bad_lines = progress_.bad_lines;
    RETURN_IF_ERROR(WriteState());
    writer_->Keep();
    durable_ = true;
    return absl::OkStatus();
  }

  // Not by AtomicWrite, whose temporary name is another one in
  // each process: what a kill leaves of it would stay for ever.
  absl::Status WriteState() const {
    const std::string path = TokenizeStatePath(options_.output);
    const std::string next = path + ".next";
    ASSIGN_OR_RETURN(FileWriter file, FileWriter::Open(next, FileWriter::Mode::kTruncate));
    absl::Status status = file.Write(ToJson(state_));
    if (status.ok()) status = file.Sync();
    if (status.ok()) status = file.Close();
    if (status.ok()) status = RenameDurably(next, path);
    if (!status.ok()) ::unlink(next.c_str());
    return status;
  }

  absl::Status TakeLock() {
    absl::StatusOr<FileLock> lock =
        FileLock::Take(options_.output + ".partial.lock", {.mode = 0644, .remove = true, .required = false});
    if (absl::IsAborted(lock.status())) {
      return absl::AbortedError(absl::StrCat(options_.output, ": another process writes it (",
                                             lock.status().message(),
                                             "); wait for its end, or give another prefix"));
    }
    RETURN_IF_ERROR(lock.status());
    lock_.emplace(*std::move(lock));
    return absl::OkStatus();
  }

  absl::Status RemoveState() const {
    const std::string path = TokenizeStatePath(options_.output);
    ::unlink((path + ".next").c_str());
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, path);
    return FsyncDir(DirName(path));
  }

  void Tell(bool last) {
    const absl::Duration now = Clock::Real().SinceStart();
    progress_.seconds = absl::ToDoubleSeconds(now - start_);
    if (!options_.progress || (!last && now - told_ < kProgressEvery)) return;
    told_ = now;
    options_.progress(progress_);
  }

  const tokenizer::Tokenizer& tokenizer_;
  const tokenizer::Framing& framing_;
  const TokenizeOptions& options_;
  const absl::Duration start_ = Clock::Real().SinceStart();
  absl::Duration told_ = start_;
  std::optional<FileLock> lock_;  // outlives the writer
  std::unique_ptr<IndexedDatasetWriter> writer_;
  TokenizeProgress progress_;
  TokenizeState state_;
  bool resumable_ = false;
  bool durable_ = false;  // state_ is on disk
};

}  // namespace

bool IsJsonl(const std::string& path) {
  const absl::string_view name = WithoutCompression(path);
  return absl::EndsWith(name, ".jsonl") || absl::EndsWith(name, ".ndjson") || absl::EndsWith(name, ".json");
}

double TokenizeProgress::SecondsLeft() const {
  const int64_t done = input_bytes - resumed_input_bytes;
  return done > 0 ? seconds * static_cast<double>(input_total - input_bytes) / static_cast<double>(done) : 0;
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
  return Tokenization(tokenizer, framing, options).Run();
}

}  // namespace galley::data
