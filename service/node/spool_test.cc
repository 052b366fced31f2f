#include "service/node/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/base/file.h"

namespace galley::service {
namespace {

using ::testing::ElementsAre;

v1::NodeReport Exited(int rank) {
  v1::NodeReport report;
  report.mutable_exited()->set_rank(rank);
  return report;
}

class SpoolTest : public ::testing::Test {
 protected:
  static std::vector<int> Ranks(const Spool& spool) {
    std::vector<int> out;
    uint64_t next = 0;
    for (const auto& report : spool.pending()) {
      if (next == 0) next = report.sequence();
      EXPECT_EQ(report.sequence(), next++) << "numbers are dense";
      out.push_back(report.exited().rank());
    }
    return out;
  }
  TempDir dir_;
  std::string path_ = JoinPath(dir_.path(), "spool");
};

TEST_F(SpoolTest, KeepsWhatIsNotAcknowledgedOverARestart) {
  {
    Spool spool = *Spool::Open(path_);
    for (int i = 1; i <= 5; ++i) EXPECT_EQ(spool.Append(Exited(i), Spool::Keep::kSynced)->sequence(), i);
    spool.Ack(2);
    EXPECT_THAT(Ranks(spool), ElementsAre(3, 4, 5));
  }
  Spool spool = *Spool::Open(path_);
  // Acknowledged ones may come again, as the file is only cut when all are; but none may be missing.
  EXPECT_THAT(Ranks(spool), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(spool.pending().front().sequence(), 1u);
  spool.Ack(5);
  EXPECT_EQ(*FileSize(path_), 0);
  EXPECT_EQ(spool.Append(Exited(6), Spool::Keep::kWritten)->sequence(), 6u);
}

TEST_F(SpoolTest, ATornTailIsCutOff) {
  {
    Spool spool = *Spool::Open(path_);
    for (int i = 1; i <= 3; ++i) spool.Append(Exited(i), Spool::Keep::kSynced);
  }
  const std::string whole = *ReadFile(path_);
  for (size_t cut = 1; cut <= whole.size() / 3; ++cut) {
    ASSERT_TRUE(AtomicWrite(path_, whole.substr(0, whole.size() - cut)).ok());
    {
      Spool spool = *Spool::Open(path_);
      EXPECT_THAT(Ranks(spool), ElementsAre(1, 2));
      spool.Append(Exited(9), Spool::Keep::kSynced);
    }
    EXPECT_THAT(Ranks(*Spool::Open(path_)), ElementsAre(1, 2, 9));
  }
}

TEST_F(SpoolTest, WhenFullOnlyWhatMustNotBeLostIsTaken) {
  Spool spool = *Spool::Open(path_, 100);
  while (spool.Append(Exited(1), Spool::Keep::kWritten) != nullptr) {
  }
  const size_t before = spool.pending().size();
  EXPECT_NE(spool.Append(Exited(2), Spool::Keep::kSynced), nullptr);
  EXPECT_EQ(spool.pending().size(), before + 1);
  spool.Ack(spool.pending().back().sequence());
  EXPECT_NE(spool.Append(Exited(1), Spool::Keep::kWritten), nullptr);
}

TEST_F(SpoolTest, AcknowledgedReportsDoNotFillTheDisk) {
  Spool spool = *Spool::Open(path_);
  v1::NodeReport big = Exited(1);
  big.mutable_exited()->set_log_tail(std::string(100'000, 'x'));
  for (int i = 0; i < 200; ++i) {
    const uint64_t sequence = spool.Append(big, Spool::Keep::kWritten)->sequence();
    if (sequence > 1) spool.Ack(sequence - 1);  // one is always left
  }
  EXPECT_LT(*FileSize(path_), 6 << 20);
}

}  // namespace
}  // namespace galley::service
