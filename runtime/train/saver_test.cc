#include "runtime/train/saver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/file.h"

namespace galley::train {
namespace {

// Keeps what the saver reports; orders nothing.
class RecordingClient : public link::Client {
 public:
  void Send(v1::Report report) override {
    MutexLock lock(mutex_);
    if (report.has_shard()) own_shard_ = report.shard();
    if (report.has_checkpoint()) committed_.push_back(report.checkpoint());
  }
  void SetProgress(v1::Phase::Value, int64_t, int64_t) override {}
  std::optional<v1::Order> Poll() override { return std::nullopt; }
  std::optional<v1::Order> WaitOrder(absl::Duration) override { return std::nullopt; }
  bool Flush(absl::Duration) override { return true; }
  bool connected() const override { return true; }
  absl::Duration away() const override { return absl::ZeroDuration(); }

  v1::ShardReport own_shard() const {
    MutexLock lock(mutex_);
    return own_shard_;
  }
  std::vector<v1::CheckpointCommitted> committed() const {
    MutexLock lock(mutex_);
    return committed_;
  }

 private:
  mutable Mutex mutex_;
  v1::ShardReport own_shard_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::CheckpointCommitted> committed_ ABSL_GUARDED_BY(mutex_);
};

// Rank 0 of two. trainerd passes reports on at least once, so one may come again when its save is long over.
TEST(Saver, AReportThatComesAgainAfterAFailedSaveHoldsNoLaterOneUp) {
  const TempDir dir;
  std::vector<float> weights = {1, 2, 3, 4}, others = {5, 6};
  Stream stream = MakeStream(Device(), 1);
  RecordingClient client;
  const auto item = [](std::vector<float>& values) {
    const View view(values.data(), DType::kF32, Shape{static_cast<int64_t>(values.size())});
    return std::vector<checkpoint::Item>{checkpoint::Item::Whole(values.size() == 4 ? "a" : "b", view)};
  };
  ASSERT_TRUE(checkpoint::Claim(dir.path(), 1, "run").ok());
  auto saver =
      Saver::Create({.directory = dir.path(), .world = 2, .is_kept_for_good = {}}, item(weights), client);
  ASSERT_TRUE(saver.ok()) << saver.status().ToString();
  const auto begin = [&](int64_t step) {
    ASSERT_TRUE((*saver)->Begin(stream, {.step = step, .state = {}, .origin = {}}, {}).ok());
  };

  v1::ShardReport failed;
  failed.set_step(10);
  failed.set_rank(1);
  failed.set_error("the disk of rank 1 is gone");
  failed.set_error_code(static_cast<int>(absl::StatusCode::kUnavailable));
  begin(10);
  ASSERT_TRUE((*saver)->Drain(absl::ZeroDuration()).code() == absl::StatusCode::kDeadlineExceeded);
  (*saver)->OnShard(client.own_shard());
  (*saver)->OnShard(failed);
  ASSERT_TRUE((*saver)->Drain(absl::Seconds(30)).ok());
  (*saver)->OnShard(failed);

  begin(20);
  auto other = checkpoint::Writer::Create(dir.path(), 1, 2, 8);
  ASSERT_TRUE(other.ok());
  v1::ShardReport second;
  second.set_step(20);
  second.set_rank(1);
  ASSERT_TRUE((*other)
                  ->Snapshot(stream, 20, 1, item(others),
                             [&](checkpoint::ShardReport shard) {
                               second.set_file(shard.file);
                               second.set_bytes(shard.bytes);
                               second.set_xxh3(shard.xxh3);
                             })
                  .ok());
  (*other)->Wait();
  ASSERT_EQ((*saver)->Drain(absl::ZeroDuration()).code(), absl::StatusCode::kDeadlineExceeded);
  (*saver)->OnShard(client.own_shard());
  (*saver)->OnShard(second);
  const absl::Status drained = (*saver)->Drain(absl::Seconds(30));
  EXPECT_TRUE(drained.ok()) << drained.ToString();
  ASSERT_EQ(client.committed().size(), 2u);
  EXPECT_THAT(client.committed()[0].error(), testing::HasSubstr("the disk of rank 1 is gone"));
  EXPECT_EQ(client.committed()[1].error(), "");
  EXPECT_TRUE(checkpoint::Open(dir.path() + "/step-20", true).ok());
}

}  // namespace
}  // namespace galley::train
