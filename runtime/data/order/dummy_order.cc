#include "runtime/data/order/dummy_order.h"

#include "runtime/base/check.h"
#include "runtime/base/hash.h"

namespace galley::data {
namespace {

constexpr uint64_t kStep = 0x9e3779b97f4a7c15;

constexpr uint64_t Finish(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

DummyOrder::DummyOrder(const DataPlan& plan, Split split)
    : key_(Finish(Finish(static_cast<uint64_t>(plan.seed) + kStep) ^ static_cast<uint64_t>(split))),
      vocab_(static_cast<uint64_t>(plan.vocab)) {
  CHECK(plan.dummy() && plan.vocab > 0);
}

void DummyOrder::Make(int64_t sample, std::span<int32_t> out) const {
  uint64_t state = Finish(key_ + kStep * static_cast<uint64_t>(sample + 1));
  for (int32_t& id : out) {
    state += kStep;
    id = static_cast<int32_t>((static_cast<unsigned __int128>(Finish(state)) * vocab_) >> 64);
  }
}

absl::Status DummyOrder::Locate(int64_t, SampleParts& parts) const {
  parts.source = 0;
  parts.ranges.clear();
  return absl::OkStatus();
}

uint64_t DummyOrder::SamplesHash(int64_t first, int64_t count) const {
  const int64_t samples[] = {first, count};
  return Hash64(std::as_bytes(std::span(samples)), key_);
}

}  // namespace galley::data
