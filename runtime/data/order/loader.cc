#include "runtime/data/order/loader.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/data/order/document_mask.h"

namespace galley::data {
namespace {

// One request in the ring. Between kReading and kDone only
// the thread that took it touches `tokens` and `status`.
struct Slot {
  enum class Phase { kFree, kAsked, kReading, kDone };
  Phase phase = Phase::kFree;
  bool dropped = false;  // cleared while it was read
  int64_t first = 0;
  int64_t count = 0;
  std::vector<int32_t> tokens;  // (max_count, T + 1)
  std::vector<int32_t> starts;  // the same; empty when no mask needs them
  std::vector<int64_t> filled;  // (max_count): positions of each sample that are no padding
  absl::Status status;
};

}  // namespace

struct Loader::State {
  State(SampleReader samples, const LoaderOptions& options)
      : reader(std::move(samples)), options(options), row(static_cast<size_t>(reader.length()) + 1) {}

  // A failed read is tried again while the loader lives and the request is wanted.
  absl::Status ReadSample(const Slot& slot, int64_t i, SampleReader::Scratch& scratch,
                          std::span<int32_t> starts, std::span<int32_t> out, int64_t& filled);
  absl::Status Fill(Slot& slot, SampleReader::Scratch& scratch);
  void Work(SampleReader::Scratch& scratch);

  const SampleReader reader;
  const LoaderOptions options;
  const size_t row;  // T + 1

  // The ring: slots [oldest, oldest + used) are requested,
  // in order; `to_read` counts those no thread has taken.
  Mutex mutex;
  CondVar asked;
  CondVar done;
  std::vector<Slot> ring;
  size_t oldest ABSL_GUARDED_BY(mutex) = 0;
  size_t used ABSL_GUARDED_BY(mutex) = 0;
  size_t to_read ABSL_GUARDED_BY(mutex) = 0;
  bool stop ABSL_GUARDED_BY(mutex) = false;
  absl::Duration waited ABSL_GUARDED_BY(mutex);

  std::vector<SampleReader::Scratch> scratch;  // one a thread
  std::vector<std::thread> threads;
};

absl::Status Loader::State::ReadSample(const Slot& slot, int64_t i, SampleReader::Scratch& work,
                                       std::span<int32_t> starts, std::span<int32_t> out, int64_t& filled) {
  absl::Duration pause = options.retry.first, failing;
  while (true) {
    absl::StatusOr<int64_t> read = reader.Read(slot.first + i, out, starts, work);
    if (read.ok()) {
      if (failing > absl::ZeroDuration()) {
        LogWarning("data: reads go on after ", absl::FormatDuration(failing));
      }
      filled = *read;
      return absl::OkStatus();
    }
    if (!absl::IsUnavailable(read.status())) return read.status();
    if (failing >= options.retry.total) {
      return Annotate(read.status(), absl::StrCat("tried again for ", absl::FormatDuration(failing)));
    }
    if (failing == absl::ZeroDuration()) {
      LogWarning("data: ", read.status().message(), "; trying again for ",
                 absl::FormatDuration(options.retry.total));
    }
    pause = std::min(pause, options.retry.total - failing);
    MutexLock lock(mutex);
    if (asked.wait_for(lock, pause,
                       [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return stop || slot.dropped; })) {
      return absl::CancelledError("the loader stopped");
    }
    failing += pause;
    pause = std::min(2 * pause, options.retry.most);
  }
}

absl::Status Loader::State::Fill(Slot& slot, SampleReader::Scratch& work) {
  for (int64_t i = 0; i < slot.count; ++i) {
    const size_t at = static_cast<size_t>(i) * row;
    std::span<int32_t> starts(slot.starts);
    if (!starts.empty()) starts = starts.subspan(at, row);
    RETURN_IF_ERROR(ReadSample(slot, i, work, starts, std::span(slot.tokens).subspan(at, row),
                               slot.filled[static_cast<size_t>(i)]));
  }
  return absl::OkStatus();
}

void Loader::State::Work(SampleReader::Scratch& work) {
  MutexLock lock(mutex);
  while (true) {
    asked.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return stop || to_read > 0; });
    if (stop) return;
    Slot& slot = ring[(oldest + used - to_read) % ring.size()];
    --to_read;
    slot.phase = Slot::Phase::kReading;
    lock.unlock();
    absl::Status status = Fill(slot, work);
    lock.lock();
    slot.status = std::move(status);
    slot.phase = slot.dropped ? Slot::Phase::kFree : Slot::Phase::kDone;
    slot.dropped = false;
    done.notify_all();
  }
}

absl::StatusOr<std::unique_ptr<Loader>> Loader::Create(const DataPlan& plan, const LoaderOptions& options) {
  CHECK(options.max_count > 0 && options.depth > 0 && options.threads > 0);
  ASSIGN_OR_RETURN(SampleReader reader, SampleReader::Open(plan, options.samples));
  auto state = std::make_unique<State>(std::move(reader), options);
  state->ring.resize(static_cast<size_t>(options.depth));
  for (Slot& slot : state->ring) {
    slot.tokens.resize(static_cast<size_t>(options.max_count) * state->row);
    slot.filled.resize(static_cast<size_t>(options.max_count));
    if (state->reader.needs_starts()) slot.starts.resize(slot.tokens.size());
  }
  for (int i = 0; i < options.threads; ++i) state->scratch.push_back(state->reader.MakeScratch());
  for (SampleReader::Scratch& scratch : state->scratch) {
    state->threads.emplace_back([s = state.get(), &scratch] { s->Work(scratch); });
  }
  return std::unique_ptr<Loader>(new Loader(std::move(state)));
}

Loader::Loader(std::unique_ptr<State> state) : state_(std::move(state)) {}

Loader::~Loader() {
  {
    const MutexLock lock(state_->mutex);
    state_->stop = true;
  }
  state_->asked.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void Loader::Request(int64_t first, int64_t count) {
  State& s = *state_;
  CHECK(first >= 0 && count > 0 && count <= s.options.max_count) << first << ", " << count;
  MutexLock lock(s.mutex);
  CHECK_LT(s.used, s.ring.size());
  Slot& slot = s.ring[(s.oldest + s.used) % s.ring.size()];
  // A cleared slot may still be in a thread's hands.
  s.done.wait(lock, [&slot] { return slot.phase == Slot::Phase::kFree; });
  slot.phase = Slot::Phase::kAsked;
  slot.first = first;
  slot.count = count;
  ++s.used;
  ++s.to_read;
  // All: the one that is woken may be waiting to try a failed read again.
  s.asked.notify_all();
}

int Loader::FreeSlots() const {
  const MutexLock lock(state_->mutex);
  return static_cast<int>(state_->ring.size() - state_->used);
}

absl::Status Loader::Pop(const SampleSpans& out) {
  State& s = *state_;
  const absl::Duration start = Clock::Real().SinceStart();
  MutexLock lock(s.mutex);
  CHECK_GT(s.used, size_t{0}) << "nothing was requested";
  Slot& slot = s.ring[s.oldest];
  const auto is_done = [&slot] { return slot.phase == Slot::Phase::kDone; };
  for (absl::Duration wait = s.options.slow; !s.done.wait_for(lock, wait, is_done); wait *= 2) {
    LogWarning("data: waiting for samples ", slot.first, " to ", slot.first + slot.count, " since ",
               absl::FormatDuration(Clock::Real().SinceStart() - start), "; the file system is slow or away");
  }
  s.waited += Clock::Real().SinceStart() - start;
  s.oldest = (s.oldest + 1) % s.ring.size();
  --s.used;
  slot.phase = Slot::Phase::kFree;
  // The slot is ours until the next Request, which comes from this thread too.
  lock.unlock();
  if (!slot.status.ok()) return std::exchange(slot.status, absl::OkStatus());
  const size_t length = s.row - 1;
  CHECK_EQ(out.tokens.size(), static_cast<size_t>(slot.count) * length);
  CHECK_EQ(out.labels.size(), out.tokens.size());
  CHECK_EQ(out.starts.size(), s.reader.mask().starts ? out.tokens.size() : 0);
  for (size_t i = 0; i < static_cast<size_t>(slot.count); ++i) {
    const int32_t* row = slot.tokens.data() + i * s.row;
    const std::span<int32_t> labels = out.labels.subspan(i * length, length);
    std::memcpy(out.tokens.data() + i * length, row, length * sizeof(int32_t));
    std::memcpy(labels.data(), row + 1, length * sizeof(int32_t));
    const size_t last = std::min(length, static_cast<size_t>(std::max<int64_t>(slot.filled[i] - 1, 0)));
    std::fill(labels.begin() + static_cast<std::ptrdiff_t>(last), labels.end(), -1);
    if (slot.starts.empty()) continue;
    const std::span<const int32_t> starts(slot.starts.data() + i * s.row, s.row);
    if (!s.reader.mask().eod_loss) MaskLastPositions(starts, labels);
    if (out.starts.empty()) continue;
    std::memcpy(out.starts.data() + i * length, starts.data(), length * sizeof(int32_t));
  }
  return absl::OkStatus();
}

void Loader::Clear() {
  State& s = *state_;
  const MutexLock lock(s.mutex);
  for (size_t i = 0; i < s.used; ++i) {
    Slot& slot = s.ring[(s.oldest + i) % s.ring.size()];
    if (slot.phase == Slot::Phase::kReading) {
      // Its thread writes into it without the lock: only that thread can free it.
      slot.dropped = true;
      s.asked.notify_all();
    } else {
      slot.phase = Slot::Phase::kFree;
    }
    slot.status = absl::OkStatus();
  }
  s.oldest = (s.oldest + s.used) % s.ring.size();
  s.used = 0;
  s.to_read = 0;
}

absl::Duration Loader::waited() const {
  const MutexLock lock(state_->mutex);
  return state_->waited;
}

uint64_t Loader::SamplesHash(int64_t first, int64_t count) const {
  return state_->reader.order().SamplesHash(first, count);
}

const Order& Loader::order() const { return state_->reader.order(); }

}  // namespace galley::data
