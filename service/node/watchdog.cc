#include "service/node/watchdog.h"

#include <algorithm>
#include <tuple>

namespace galley::service {
namespace {

constexpr size_t kSteps = 64;       // the median is over so many
constexpr size_t kWarmSteps = 3;    // fewer tell nothing yet
constexpr double kStepFactor = 10;  // of the median, and of the longest phase
constexpr double kWarmFloors = 2;
constexpr double kPhaseFloors = 4;

}  // namespace

Watchdog::Watchdog(absl::Duration minimum, absl::Duration silence)
    : minimum_(minimum), silence_(std::max(minimum, silence)) {}

void Watchdog::Started(int rank, absl::Duration now) {
  Rank& r = ranks_[rank];
  r = Rank();
  r.heard = r.progress = r.phase_began = now;
  if (!checked_.has_value()) checked_ = now;  // a pause before the first check counts as one too
}

void Watchdog::Ended(int rank) { ranks_.erase(rank); }

void Watchdog::Heard(int rank, absl::Duration now) {
  auto it = ranks_.find(rank);
  if (it == ranks_.end()) return;
  it->second.heard = now;
  it->second.beating = true;
}

void Watchdog::Progress(int rank, v1::Phase::Value phase, int64_t step, int64_t item, absl::Duration now) {
  auto it = ranks_.find(rank);
  if (it == ranks_.end()) return;
  Rank& r = it->second;
  if (phase == r.phase && step == r.step && item == r.item) return;
  if (phase != r.phase) {
    absl::Duration& longest = longest_[r.phase];
    longest = std::max(longest, now - r.phase_began);
    r.phase_began = now;
    r.phase = phase;
  }
  r.step = step;
  r.item = item;
  r.progress = now;
}

void Watchdog::StepTook(absl::Duration duration) {
  steps_.push_back(duration);
  if (steps_.size() > kSteps) steps_.pop_front();
}

absl::Duration Watchdog::interval() const {
  return std::clamp(minimum_ / 4, absl::Milliseconds(50), absl::Seconds(1));
}

absl::Duration Watchdog::limit(v1::Phase::Value phase) const {
  if (phase == v1::Phase::TRAIN) {
    if (steps_.size() < kWarmSteps) return minimum_ * kWarmFloors;
    std::vector<absl::Duration> sorted(steps_.begin(), steps_.end());
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2),
                     sorted.end());
    return std::max(minimum_, sorted[sorted.size() / 2] * kStepFactor);
  }
  auto it = longest_.find(phase);
  const absl::Duration seen = it == longest_.end() ? absl::ZeroDuration() : it->second;
  return std::max(minimum_ * kPhaseFloors, seen * kStepFactor);
}

int64_t Watchdog::step(int rank) const {
  auto it = ranks_.find(rank);
  return it == ranks_.end() ? 0 : it->second.step;
}

std::optional<Watchdog::Hang> Watchdog::Check(absl::Duration now) {
  const absl::Duration late = checked_.has_value() ? now - *checked_ - interval() : absl::ZeroDuration();
  checked_ = now;
  if (late > std::max(interval() * 2, absl::Seconds(1))) {
    for (auto& [rank, r] : ranks_) {
      r.heard = std::min(now, r.heard + late);
      r.progress = std::min(now, r.progress + late);
    }
  }
  bool hangs = false;
  for (const auto& [rank, r] : ranks_) {
    const absl::Duration silence = r.beating ? silence_ : std::max(silence_, limit(v1::Phase::LOAD));
    hangs = hangs || now - r.heard > silence || now - r.progress > limit(r.phase);
  }
  if (!hangs) return std::nullopt;
  // One rank that stands still makes all wait at the next collective: the suspect is the one that came least
  // far, and among equals the one not heard of for the longest time.
  auto suspect = std::min_element(ranks_.begin(), ranks_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.step, a.second.heard) < std::tie(b.second.step, b.second.heard);
  });
  const Rank& r = suspect->second;
  return Hang{suspect->first, r.step, r.phase, now - r.progress};
}

}  // namespace galley::service
