#include "runtime/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

// One request in the ring. Between kReading and kDone only the thread that took it touches `tokens` and
// `status`.
struct Slot {
  enum class Phase { kFree, kAsked, kReading, kDone };
  Phase phase = Phase::kFree;
  bool dropped = false;  // cleared while it was read
  int64_t first = 0;
  int64_t count = 0;
  std::vector<int32_t> tokens;  // (max_count, T + 1)
  absl::Status status;
};

}  // namespace

struct Loader::State {
  State(const DataPlan& plan, const LoaderOptions& options)
      : length(plan.sequence_length), vocab(plan.vocab), max_count(options.max_count) {}

  // Work space of one thread.
  struct Scratch {
    std::vector<std::byte> bytes;
    SampleParts parts;
  };
  absl::Status ReadSample(int64_t sample, std::span<int32_t> out, Scratch& scratch) const;
  absl::Status CheckIds(std::span<const int32_t> ids, const SampleParts& parts) const;
  void Work(Scratch& scratch);

  const int64_t length;  // T
  const int64_t vocab;
  const int64_t max_count;
  std::vector<IndexedDataset> sources;
  std::unique_ptr<const Order> order;  // refers to the sources

  // The ring: slots [oldest, oldest + used) are requested, in order; `to_read` counts those no thread has
  // taken.
  std::mutex mutex;
  std::condition_variable asked;
  std::condition_variable done;
  std::vector<Slot> ring;
  size_t oldest = 0;
  size_t used = 0;
  size_t to_read = 0;
  bool stop = false;
  absl::Duration waited;

  std::vector<Scratch> scratch;  // one a thread
  std::vector<std::thread> threads;
};

absl::Status Loader::State::ReadSample(int64_t sample, std::span<int32_t> out, Scratch& scratch) const {
  SampleParts& parts = scratch.parts;
  RETURN_IF_ERROR(order->Locate(sample, parts));
  const IndexedDataset& source = sources[static_cast<size_t>(parts.source)];
  size_t at = 0;
  for (const Range& range : parts.ranges) {
    const auto size = static_cast<size_t>(range.size());
    RETURN_IF_ERROR(source.Read(range.begin, out.subspan(at, size), scratch.bytes));
    at += size;
  }
  // The embedding would read outside its table; one pass over the tokens costs next to nothing.
  uint32_t largest = 0;
  for (const int32_t id : out) largest = std::max(largest, static_cast<uint32_t>(id));
  return static_cast<int64_t>(largest) < vocab ? absl::OkStatus() : CheckIds(out, parts);
}

absl::Status Loader::State::CheckIds(std::span<const int32_t> ids, const SampleParts& parts) const {
  const IndexedDataset& source = sources[static_cast<size_t>(parts.source)];
  size_t at = 0;
  for (const Range& range : parts.ranges) {
    const auto size = static_cast<size_t>(range.size());
    RETURN_IF_ERROR(data::CheckIds(source, range.begin, ids.subspan(at, size), vocab));
    at += size;
  }
  return absl::OkStatus();
}

void Loader::State::Work(Scratch& scratch) {
  std::unique_lock lock(mutex);
  while (true) {
    asked.wait(lock, [this] { return stop || to_read > 0; });
    if (stop) return;
    Slot& slot = ring[(oldest + used - to_read) % ring.size()];
    --to_read;
    slot.phase = Slot::Phase::kReading;
    lock.unlock();
    absl::Status status;
    const auto row = static_cast<size_t>(length) + 1;
    for (int64_t i = 0; i < slot.count && status.ok(); ++i) {
      status = ReadSample(slot.first + i, std::span(slot.tokens).subspan(static_cast<size_t>(i) * row, row),
                          scratch);
    }
    lock.lock();
    slot.status = std::move(status);
    slot.phase = slot.dropped ? Slot::Phase::kFree : Slot::Phase::kDone;
    slot.dropped = false;
    done.notify_all();
  }
}

absl::StatusOr<std::unique_ptr<Loader>> Loader::Create(const DataPlan& plan, const LoaderOptions& options) {
  CHECK(options.max_count > 0 && options.depth > 0 && options.threads > 0);
  for (size_t s = 0; s < plan.sources.size(); ++s) {
    if (plan.Windows(static_cast<int64_t>(s), options.split) > 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(plan.sources[s].path, ": the ", Name(options.split),
                     " split holds no sample; give data.split a larger share of it, or add text"));
  }
  auto state = std::make_unique<State>(plan, options);
  size_t item = 1;
  for (const PlannedSource& planned : plan.sources) {
    ASSIGN_OR_RETURN(IndexedDataset source, IndexedDataset::Open(planned.path));
    ASSIGN_OR_RETURN(const uint64_t fingerprint, source.Fingerprint());
    if (Hex(fingerprint) != planned.fingerprint) {
      return absl::FailedPreconditionError(absl::StrCat(
          planned.path, ": the files changed since the data plan was made (fingerprint ", Hex(fingerprint),
          ", planned ", planned.fingerprint, "); put the old ones back, or start a new run"));
    }
    item = std::max(item, static_cast<size_t>(ItemSize(source.type())));
    state->sources.push_back(std::move(source));
  }
  ASSIGN_OR_RETURN(state->order, MakeOrder(plan, options.split, state->sources, options.index_threads));
  const auto row = static_cast<size_t>(plan.sequence_length) + 1;
  state->ring.resize(static_cast<size_t>(options.depth));
  for (Slot& slot : state->ring) slot.tokens.resize(static_cast<size_t>(options.max_count) * row);
  state->scratch.resize(static_cast<size_t>(options.threads));
  for (State::Scratch& scratch : state->scratch) {
    scratch.bytes.resize(row * item);
    scratch.parts.ranges.reserve(row);
    state->threads.emplace_back([s = state.get(), &scratch] { s->Work(scratch); });
  }
  return std::unique_ptr<Loader>(new Loader(std::move(state)));
}

Loader::Loader(std::unique_ptr<State> state) : state_(std::move(state)) {}

Loader::~Loader() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->asked.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

void Loader::Request(int64_t first, int64_t count) {
  State& s = *state_;
  CHECK(first >= 0 && count > 0 && count <= s.max_count) << first << ", " << count;
  std::unique_lock lock(s.mutex);
  CHECK_LT(s.used, s.ring.size());
  Slot& slot = s.ring[(s.oldest + s.used) % s.ring.size()];
  // A cleared slot may still be in a thread's hands.
  s.done.wait(lock, [&slot] { return slot.phase == Slot::Phase::kFree; });
  slot.phase = Slot::Phase::kAsked;
  slot.first = first;
  slot.count = count;
  ++s.used;
  ++s.to_read;
  s.asked.notify_one();
}

int Loader::Room() const {
  const std::lock_guard lock(state_->mutex);
  return static_cast<int>(state_->ring.size() - state_->used);
}

absl::Status Loader::Pop(std::span<int32_t> tokens, std::span<int32_t> labels) {
  State& s = *state_;
  const absl::Duration start = Clock::Real().SinceStart();
  std::unique_lock lock(s.mutex);
  CHECK_GT(s.used, size_t{0}) << "nothing was requested";
  Slot& slot = s.ring[s.oldest];
  s.done.wait(lock, [&slot] { return slot.phase == Slot::Phase::kDone; });
  s.waited += Clock::Real().SinceStart() - start;
  s.oldest = (s.oldest + 1) % s.ring.size();
  --s.used;
  slot.phase = Slot::Phase::kFree;
  // The slot is ours until the next Request, which comes from this thread too.
  lock.unlock();
  if (!slot.status.ok()) return std::exchange(slot.status, absl::OkStatus());
  const auto length = static_cast<size_t>(s.length);
  CHECK_EQ(tokens.size(), static_cast<size_t>(slot.count) * length);
  CHECK_EQ(labels.size(), tokens.size());
  for (size_t i = 0; i < static_cast<size_t>(slot.count); ++i) {
    const int32_t* row = slot.tokens.data() + i * (length + 1);
    std::memcpy(tokens.data() + i * length, row, length * sizeof(int32_t));
    std::memcpy(labels.data() + i * length, row + 1, length * sizeof(int32_t));
  }
  return absl::OkStatus();
}

void Loader::Clear() {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  for (size_t i = 0; i < s.used; ++i) {
    Slot& slot = s.ring[(s.oldest + i) % s.ring.size()];
    if (slot.phase == Slot::Phase::kReading) {
      slot.dropped = true;
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
  const std::lock_guard lock(state_->mutex);
  return state_->waited;
}

uint64_t Loader::SamplesHash(int64_t first, int64_t count) const {
  return state_->order->SamplesHash(first, count);
}

const Order& Loader::order() const { return *state_->order; }

}  // namespace galley::data
