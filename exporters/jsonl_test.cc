#include "exporters/jsonl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"
#include "runtime/metrics/step_for_test.h"

namespace galley::exporters {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines = absl::StrSplit(*ReadFile(path), '\n');
  EXPECT_EQ(lines.back(), "") << "the file ends with a newline";
  lines.pop_back();
  return lines;
}

std::vector<std::string> StepsOf(const std::string& path) {
  std::vector<std::string> out;
  for (const std::string& line : Lines(path)) {
    const auto json = nlohmann::json::parse(line);
    out.push_back(absl::StrCat(json["attempt"].get<int64_t>(), "/", json["step"].get<int64_t>()));
  }
  return out;
}

TEST(Jsonl, AStepTakenAgainAppearsAgainWithItsHigherAttempt) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  auto sink = *OpenJsonl(path);
  for (int i : {1, 2, 3}) ASSERT_TRUE(sink->Write(metrics::StepForTest(i)).ok());
  for (int i : {2, 3}) ASSERT_TRUE(sink->Write(metrics::StepForTest(i, 2)).ok());
  EXPECT_THAT(StepsOf(path), ElementsAre("1/1", "1/2", "1/3", "2/2", "2/3"));
}

TEST(Jsonl, ReopeningCutsATornLineAndSkipsWhatIsThere) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  {
    auto sink = *OpenJsonl(path);
    for (int i : {1, 2, 3}) ASSERT_TRUE(sink->Write(metrics::StepForTest(i)).ok());
  }
  const std::string whole = *ReadFile(path);
  const int64_t third = static_cast<int64_t>(Lines(path).back().size()) + 1;
  // A writer killed anywhere within the third line; step 2 and 3 are delivered again.
  for (int64_t cut : {int64_t{1}, third / 2, third - 1}) {
    ASSERT_TRUE(AtomicWrite(path, whole).ok());
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(whole.size()) - cut), 0);
    auto sink = *OpenJsonl(path);
    ASSERT_TRUE(sink->Write(metrics::StepForTest(2)).ok());
    ASSERT_TRUE(sink->Write(metrics::StepForTest(3)).ok());
    EXPECT_EQ(*ReadFile(path), whole) << cut;
  }
}

TEST(Jsonl, AFileOfOneTornLineStartsAnew) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  ASSERT_TRUE(AtomicWrite(path, "{\"step\":1,\"att").ok());
  auto sink = *OpenJsonl(path);
  ASSERT_TRUE(sink->Write(metrics::StepForTest(1)).ok());
  EXPECT_THAT(StepsOf(path), ElementsAre("1/1"));
}

TEST(Jsonl, AtRestAnotherMayWriteAndBothGoOn) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  auto first = *OpenJsonl(path);
  ASSERT_TRUE(first->Write(metrics::StepForTest(1)).ok());
  first->Rest();
  auto second = *OpenJsonl(path);
  ASSERT_TRUE(second->Write(metrics::StepForTest(2, 2)).ok());
  EXPECT_EQ(first->Write(metrics::StepForTest(2)).code(), absl::StatusCode::kAlreadyExists);
  second->Rest();
  EXPECT_EQ(first->Write(metrics::StepForTest(2)).code(),
            absl::StatusCode::kFailedPrecondition);  // attempt 1 is history
  ASSERT_TRUE(first->Write(metrics::StepForTest(2, 3)).ok());
  EXPECT_THAT(StepsOf(path), ElementsAre("1/1", "2/2", "3/2"));
}

TEST(Jsonl, ForeignFilesAndSecondWritersAreRefused) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  auto sink = *OpenJsonl(path);
  EXPECT_EQ(OpenJsonl(path).status().code(), absl::StatusCode::kAlreadyExists);
  const std::string foreign = JoinPath(dir.path(), "other");
  ASSERT_TRUE(AtomicWrite(foreign, "hello\n").ok());
  EXPECT_THAT(std::string(OpenJsonl(foreign).status().message()), HasSubstr(foreign));
  EXPECT_EQ(*ReadFile(foreign), "hello\n");  // untouched
}

TEST(Jsonl, AFullDiskLeavesNoPartOfALineAndNamesTheStep) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "metrics.jsonl");
  auto sink = *OpenJsonl(path);
  ASSERT_TRUE(sink->Write(metrics::StepForTest(1)).ok());
  // The file may grow by half a line: the write comes out short.
  rlimit old;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit half = old;
  half.rlim_cur = static_cast<rlim_t>(*FileSize(path) + 50);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &half), 0);
  absl::Status status = sink->Write(metrics::StepForTest(2));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("step 2 is not recorded"));
  ASSERT_TRUE(sink->Write(metrics::StepForTest(3)).ok());
  EXPECT_THAT(StepsOf(path), ElementsAre("1/1", "1/3"));
}

}  // namespace
}  // namespace galley::exporters
