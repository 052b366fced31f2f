// Finds a rank that hangs. A pure state machine: the time is handed in, as a duration since any fixed point.
//
// A rank hangs when
//   it makes no progress for limit(phase), while it is connected and beating; or
//   nothing at all is heard of it for the silence limit (a stopped or swapped-out process sends no
//   heartbeat).
// limit(TRAIN) is learned: the larger of the recipe's minimum (limits.hang) and 10 times the median
// of the last steps. The first steps, which warm caches and create primitives, get twice the minimum; load,
// evaluate, save and wait get four times the minimum or 10 times the longest such phase seen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "galley/v1/run.pb.h"

namespace galley::service {

class Watchdog {
 public:
  // silence: the least time without a heartbeat that counts; heartbeats come every second.
  Watchdog(absl::Duration minimum, absl::Duration silence = absl::Seconds(5));

  void Started(int rank, absl::Duration now);
  void Ended(int rank);
  void Heard(int rank, absl::Duration now);  // any frame
  void Progress(int rank, v1::Phase::Value phase, int64_t step, int64_t item, absl::Duration now);
  void StepTook(absl::Duration duration);

  struct Hang {
    int rank = 0;
    int64_t step = 0;
    v1::Phase::Value phase = v1::Phase::UNKNOWN;
    absl::Duration still;  // since its last progress
  };
  // Call about every interval(). When anything hangs: the rank that most likely holds up the others. A late
  // call means that we ourselves were stopped: that time is taken off every rank's account.
  std::optional<Hang> Check(absl::Duration now);
  absl::Duration interval() const;

  absl::Duration limit(v1::Phase::Value phase) const;
  int64_t step(int rank) const;  // the last one heard of; 0: none

 private:
  struct Rank {
    v1::Phase::Value phase = v1::Phase::LOAD;
    int64_t step = 0, item = 0;
    absl::Duration heard, progress, phase_began;
    bool beating = false;  // it has connected
  };

  const absl::Duration minimum_, silence_;
  std::map<int, Rank> ranks_;
  std::deque<absl::Duration> steps_;
  std::map<v1::Phase::Value, absl::Duration> longest_;  // by phase, of finished ones
  std::optional<absl::Duration> checked_;
};

}  // namespace galley::service
