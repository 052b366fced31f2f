#include "runtime/metrics/bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace galley::metrics {
namespace {

using ::testing::ElementsAre;

// Records steps; waits in Write while `gate` is shut; fails on the steps of `bad`.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = true;
  bool waiting = false;
  std::vector<int64_t> steps;
  std::vector<int64_t> bad;
};

class FakeSink : public Sink {
 public:
  explicit FakeSink(Shared& shared) : shared_(shared) {}
  absl::Status Write(const StepRecord& record) override {
    std::unique_lock lock(shared_.mutex);
    shared_.waiting = true;
    shared_.changed.notify_all();
    shared_.changed.wait(lock, [&] { return shared_.open; });
    for (int64_t step : shared_.bad) {
      if (step == record.step()) return absl::ResourceExhaustedError("disk full");
    }
    shared_.steps.push_back(record.step());
    return absl::OkStatus();
  }

 private:
  Shared& shared_;
};

std::vector<std::unique_ptr<Sink>> Sinks(std::initializer_list<Shared*> all) {
  std::vector<std::unique_ptr<Sink>> sinks;
  for (Shared* shared : all) sinks.push_back(std::make_unique<FakeSink>(*shared));
  return sinks;
}

StepRecord Step(int64_t step) {
  StepRecord record;
  record.Set<"step">(step);
  return record;
}

TEST(Bus, GivesEveryRecordToEverySinkInOrder) {
  Shared a, b;
  Bus bus(Sinks({&a, &b}));
  std::atomic<int> written = 0;
  for (int i = 1; i <= 4; ++i) bus.Push(Step(i), [&] { ++written; });
  bus.Drain();
  EXPECT_THAT(a.steps, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(written, 4);
  EXPECT_EQ(bus.dropped(), 0);
}

TEST(Bus, DropsTheOldestInsteadOfWaitingForASlowSink) {
  Shared a;
  a.open = false;
  Bus bus(Sinks({&a}), nullptr, 2);
  std::atomic<int> written = 0;
  bus.Push(Step(1), [&] { ++written; });
  {
    std::unique_lock lock(a.mutex);
    a.changed.wait(lock, [&] { return a.waiting; });  // step 1 is held by the sink
  }
  for (int i = 2; i <= 6; ++i) bus.Push(Step(i), [&] { ++written; });
  EXPECT_EQ(bus.dropped(), 3);
  EXPECT_EQ(written, 3);
  {
    std::lock_guard lock(a.mutex);
    a.open = true;
    a.changed.notify_all();
  }
  bus.Drain();
  EXPECT_THAT(a.steps, ElementsAre(1, 5, 6));
  EXPECT_EQ(written, 6);
}

TEST(Bus, AFailingSinkIsToldOnceAndDoesNotStopTheOthers) {
  Shared a, b;
  a.bad = {2, 3, 4};
  std::vector<std::string> told;
  {
    Bus bus(Sinks({&a, &b}), [&](const absl::Status& status) { told.emplace_back(status.message()); });
    for (int i = 1; i <= 6; ++i) bus.Push(Step(i));
  }
  EXPECT_THAT(told, ElementsAre("disk full", ""));
  EXPECT_THAT(a.steps, ElementsAre(1, 5, 6));
  EXPECT_THAT(b.steps, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Bus, AMarkIsReachedOnceAllBeforeItIsWritten) {
  Shared a;
  Bus bus(Sinks({&a}));
  size_t seen = 0;
  bus.Push(Step(1));
  bus.Push(Step(2));
  bus.Mark([&] { seen = a.steps.size(); });
  bus.Push(Step(3));
  bus.Drain();
  EXPECT_EQ(seen, 2u);
}

TEST(Bus, WritesWhatWasPushedBeforeItEnds) {
  Shared a;
  {
    Bus bus(Sinks({&a}));
    for (int i = 0; i < 1000; ++i) bus.Push(Step(i));
  }
  EXPECT_EQ(a.steps.size(), 1000u);
}

}  // namespace
}  // namespace galley::metrics
