#include "service/run/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "service/run/sqlite.h"

namespace galley::service {
namespace {

using ::testing::HasSubstr;

constexpr absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Run NewRun(std::string id, std::string name = "quick") {
  Run run;
  run.id = id;
  run.name = std::move(name);
  run.run_dir = "/runs/" + id;
  return run;
}

Event Admit() {
  Event e;
  e.kind = EventKind::kAdmitted;
  return e;
}

TEST(Store, WhatWasAppliedIsThereAfterReopening) {
  TempDir dir;
  {
    auto store = Store::Open(dir.path()).value();
    ASSERT_TRUE(store->Create(NewRun("abcd1234"), "", kNow).ok());
    ASSERT_TRUE(store->Apply("abcd1234", Admit(), kNow).ok());
  }
  auto store = Store::Open(dir.path()).value();
  EXPECT_EQ(store->Get("abcd1234")->state, RunState::kQueued);
  const std::vector<EventRecord> events = store->Events("abcd1234", 0).value();
  ASSERT_EQ(events.size(), 2);
  EXPECT_EQ(events[0].kind, EventKind::kSubmitted);
  EXPECT_EQ(events[1].seq, 2);
  EXPECT_EQ(events[1].to, RunState::kQueued);
  EXPECT_EQ(store->Events("abcd1234", 1)->size(), 1);
}

TEST(Store, ARefusedEventLeavesNoTrace) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  ASSERT_TRUE(store->Create(NewRun("a"), "", kNow).ok());
  Event resume;
  resume.kind = EventKind::kResumeRequested;
  EXPECT_TRUE(absl::IsFailedPrecondition(store->Apply("a", resume, kNow).status()));
  EXPECT_EQ(store->Events("a", 0)->size(), 1);
  EXPECT_TRUE(absl::IsNotFound(store->Apply("b", resume, kNow).status()));
}

TEST(Store, OneKeyMakesOneRun) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  EXPECT_FALSE(store->Create(NewRun("a"), "key", kNow)->existed);
  auto again = store->Create(NewRun("b"), "key", kNow).value();
  EXPECT_TRUE(again.existed);
  EXPECT_EQ(again.run.id, "a");
  EXPECT_EQ(store->List()->size(), 1);
  service::Run same_dir = NewRun("c");
  same_dir.run_dir = "/runs/a";
  EXPECT_TRUE(absl::IsAlreadyExists(store->Create(same_dir, "", kNow).status()));
}

TEST(Store, FindsRunsByIdPrefixDirectoryAndNewestName) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  ASSERT_TRUE(store->Create(NewRun("abcd1111"), "", kNow).ok());
  ASSERT_TRUE(store->Create(NewRun("abcd2222"), "", kNow + absl::Seconds(1)).ok());
  EXPECT_EQ(store->Resolve("abcd1111")->id, "abcd1111");
  EXPECT_EQ(store->Resolve("abcd1")->id, "abcd1111");
  EXPECT_EQ(store->Resolve("/runs/abcd1111")->id, "abcd1111");
  EXPECT_EQ(store->Resolve("quick")->id, "abcd2222");
  EXPECT_TRUE(absl::IsInvalidArgument(store->Resolve("abcd").status()));
  EXPECT_TRUE(absl::IsNotFound(store->Resolve("abd").status()));
  EXPECT_TRUE(absl::IsNotFound(store->Resolve("").status()));
}

TEST(Store, ASecondControllerOnTheSameStateIsRefused) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  absl::Status second = Store::Open(dir.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("pid " + std::to_string(getpid())));
  store.reset();
  EXPECT_TRUE(Store::Open(dir.path()).ok());
}

TEST(Store, ANewerSchemaIsRefusedAndNotTouched) {
  TempDir dir;
  ASSERT_TRUE(Store::Open(dir.path()).ok());
  {
    auto db = Database::Open(JoinPath(dir.path(), "galley.db")).value();
    ASSERT_TRUE(db->Run("PRAGMA user_version=99").ok());
  }
  absl::Status status = Store::Open(dir.path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("schema 99"));
}

TEST(Store, AFileThatIsNoDatabaseIsNamed) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "galley.db");
  ASSERT_TRUE(AtomicWrite(path, std::string(4096, 'x')).ok());
  absl::Status status = Store::Open(dir.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

// kill -9 right after Apply returned: the event is there.
TEST(Store, AnAppliedEventSurvivesAKill) {
  TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    auto store = Store::Open(dir.path()).value();
    if (!store->Create(NewRun("a"), "", kNow).ok() || !store->Apply("a", Admit(), kNow).ok()) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto store = Store::Open(dir.path()).value();
  EXPECT_EQ(store->Get("a")->state, RunState::kQueued);
}

}  // namespace
}  // namespace galley::service
