// Time, handed in: state machines and watchdogs take a Clock, tests give a FakeClock.
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace galley {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;             // wall time, for labels only
  virtual absl::Duration SinceStart() const = 0;  // monotonic, for time-outs
  static const Clock& Real();
};

class FakeClock : public Clock {
 public:
  absl::Time Now() const override { return start_ + elapsed_; }
  absl::Duration SinceStart() const override { return elapsed_; }
  void Advance(absl::Duration d) { elapsed_ += d; }

 private:
  absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  absl::Duration elapsed_;
};

}  // namespace galley
