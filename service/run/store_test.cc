#include "service/run/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/base/file.h"
#include "service/run/row.h"
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

// A row as the controller before schema 2 wrote it.
constexpr char kRowOfSchema1[] =
    R"({"active_ms":1500,"attempt":2,"backoff_ms":0,"base_checkpoint":"/runs/old/checkpoints/step-20",)"
    R"("best_step":0,"bytes_per_rank":1000000,"checkpoint_at_failure":0,)"
    R"("checkpoint_dir":"/runs/old/checkpoints","completed":false,"created_unix_ms":1700000000000,)"
    R"("event_seq":1,"exit_duration_seconds":3600,"exporters":"[{\"kind\":\"jsonl\"}]","failure":"none",)"
    R"("failures":1,"hang_seconds":77,"id":"old","last_checkpoint_path":"/runs/old/checkpoints/step-20",)"
    R"("last_checkpoint_step":20,"live":true,"loss":2.5,"max_failures":5,"name":"quick","next_base":"",)"
    R"("node":"n1","origins":"{}","plan_hash":"0123","reason":"","recipe":"kind: Recipe\n",)"
    R"("recipe_hash":"4567","root":"/recipes","run_dir":"/runs/old","session_unix_ms":1700000000000,)"
    R"("state":"RUNNING","step":20,"stop":"none","threads_per_rank":1,"total_steps":60,)"
    R"("updated_unix_ms":1700000000000,"world":2})";

void MakeSchema1(const std::string& dir, const std::string& row) {
  auto db = Database::Open(JoinPath(dir, "galley.db")).value();
  for (const char* sql :
       {"CREATE TABLE runs (id TEXT PRIMARY KEY, name TEXT NOT NULL, run_dir TEXT NOT NULL UNIQUE,"
        " state TEXT NOT NULL, created_unix_ms INTEGER NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX runs_by_name ON runs (name, created_unix_ms)",
        "CREATE TABLE events (run_id TEXT NOT NULL, seq INTEGER NOT NULL, unix_ms INTEGER NOT NULL,"
        " kind TEXT NOT NULL, attempt INTEGER NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,"
        " message TEXT NOT NULL, PRIMARY KEY (run_id, seq)) WITHOUT ROWID",
        "CREATE TABLE idempotency_keys (key TEXT PRIMARY KEY, run_id TEXT NOT NULL) WITHOUT ROWID",
        "INSERT INTO idempotency_keys VALUES ('key', 'old')", "PRAGMA user_version=1"}) {
    ASSERT_TRUE(db->Run(sql).ok()) << sql;
  }
  ASSERT_TRUE(db->Run("INSERT INTO runs VALUES ('old', 'quick', '/runs/old', 'RUNNING', 1700000000000, ?)",
                      {absl::string_view(row)})
                  .ok());
}

TEST(Store, ADamagedRowOfSchema1IsNamed) {
  for (const auto& [sound, damaged] :
       {std::pair{R"("world":2)", R"("world":2000000000)"}, std::pair{R"("world":2)", R"("world":-2)"},
        std::pair{R"("failures":1)", R"("failures":-1)"}, std::pair{R"("live":true)", R"("live":1)"},
        std::pair{R"("node":"n1")", R"("node":1)"}}) {
    TempDir dir;
    ASSERT_NO_FATAL_FAILURE(MakeSchema1(dir.path(), absl::StrReplaceAll(kRowOfSchema1, {{sound, damaged}})));
    const absl::Status status = Store::Open(dir.path()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << damaged << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("galley.db: the row of run old: "));
  }
}

TEST(Store, AStoreOfSchema1IsReadOn) {
  TempDir dir;
  ASSERT_NO_FATAL_FAILURE(MakeSchema1(dir.path(), kRowOfSchema1));
  for (int opened = 0; opened < 2; ++opened) {  // brought to this schema, and then of it
    auto store = Store::Open(dir.path());
    ASSERT_TRUE(store.ok()) << store.status();
    const service::Run run = (*store)->FindByKey("key").value();
    EXPECT_EQ(run.state, RunState::kRunning);
    EXPECT_EQ(run.attempt, 2);
    EXPECT_EQ(run.loss, 2.5);
    EXPECT_EQ(run.recipe, "kind: Recipe\n");
    EXPECT_TRUE(run.live());
    EXPECT_EQ(run.placement.Names(), "n1");
    EXPECT_EQ(run.placement.HostOf(1), "n1");
    EXPECT_EQ(run.plan.version, kRunPlanVersion);
    EXPECT_EQ(run.plan.checkpoint_dir, "/runs/old/checkpoints");
    EXPECT_EQ(run.plan.launcher, recipe::LauncherKind::kLocal);
    EXPECT_EQ(run.plan.world, 2);
    EXPECT_EQ(run.plan.total_steps, 60);
    EXPECT_EQ(run.plan.max_failures, 5);
    EXPECT_EQ(run.plan.exit_duration_seconds, 3600);
    EXPECT_EQ(run.plan.recipe_hash, "4567");
  }
  auto store = Store::Open(dir.path()).value();
  Event gone;
  gone.kind = EventKind::kAttemptGone;
  gone.attempt = 2;
  gone.node = "n1";
  EXPECT_EQ(store->Apply("old", gone, kNow)->run.state, RunState::kRecovering);
  EXPECT_EQ(store->Get("old")->plan.total_steps, 60);
}

TEST(Store, ARunComesWithThePlanThatIsKept) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  service::Run run = NewRun("a");
  run.plan.total_steps = 7;
  run.plan.launcher = recipe::LauncherKind::kSlurm;
  ASSERT_TRUE(store->Create(run, "", kNow).ok());
  EXPECT_EQ(store->Get("a")->plan.version, 0);
  run.plan.version = kRunPlanVersion;
  ASSERT_TRUE(store->KeepPlan("a", run.plan).ok());
  EXPECT_EQ(store->List()->front().plan.version, kRunPlanVersion);
  EXPECT_EQ(store->List()->front().plan.total_steps, 7);
  EXPECT_EQ(store->List()->front().plan.launcher, recipe::LauncherKind::kSlurm);
}

// It is derived from the recipe, and the controller derives what has version 0.
TEST(Store, ADamagedPlanIsAsGoodAsNone) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  service::Run run = NewRun("a");
  ASSERT_TRUE(store->Create(run, "", kNow).ok());
  run.plan.version = kRunPlanVersion;
  ASSERT_TRUE(store->KeepPlan("a", run.plan).ok());
  auto db = Database::Open(JoinPath(dir.path(), "galley.db")).value();
  for (const char* body :
       {"{", "[]", R"({"version":1,"world":"x"})", R"({"version":1,"world":-1})",
        R"({"version":1,"world":0})", R"({"version":1,"total_steps":-1})",
        R"({"version":1,"bytes_per_rank":1e300})", R"({"version":1,"launcher":"abacus"})"}) {
    ASSERT_TRUE(db->Run(absl::StrCat("UPDATE plans SET body='", body, "'").c_str()).ok()) << body;
    const absl::StatusOr<std::vector<service::Run>> runs = store->List();
    ASSERT_TRUE(runs.ok()) << body << ": " << runs.status();
    EXPECT_EQ(runs->front().plan.version, 0) << body;
  }
}

// Each value that a row may not have: no crash and no guess, but the row, the key and what to do.
TEST(Store, ADamagedRowIsNamedWithItsKey) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "galley.db");
  auto store = Store::Open(dir.path()).value();
  ASSERT_TRUE(store->Create(NewRun("a"), "", kNow).ok());
  auto db = Database::Open(path).value();
  const auto damage = [&](const std::string& key, const std::string& value) {
    SCOPED_TRACE(absl::StrCat(key, " = ", value));
    const std::string undamaged = EncodeRun(store->Get("a").value());
    ASSERT_TRUE(db->Run("UPDATE runs SET body=json_set(body, ?, json(?))", {"$." + key, value}).ok());
    for (const absl::Status& status :
         {store->Get("a").status(), store->List().status(), store->Resolve("/runs/a").status(),
          store->Apply("a", Admit(), kNow).status()}) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": the row of run a: " + key + " is"));
      EXPECT_THAT(std::string(status.message()), HasSubstr("restore the file from a copy"));
    }
    ASSERT_TRUE(db->Run("UPDATE runs SET body=?", {undamaged}).ok());
  };
  for (const char* key : {"state", "failure", "stop"}) {
    for (const char* value : {"\"SLEEPING\"", "\"\"", "3", "null"}) damage(key, value);
  }
  for (const char* key :
       {"attempt", "step", "event_seq", "failures", "best_step", "backoff_ms", "active_ms", "created_unix_ms",
        "updated_unix_ms", "session_unix_ms", "last_checkpoint_step", "checkpoint_at_failure"}) {
    for (const char* value : {"-1", "1.5", "1e300", "\"7\"", "true", "null", "9223372036854775807",
                              "18446744073709551615", "[]"}) {
      damage(key, value);
    }
  }
  for (const char* value : {"1", "\"true\"", "null"}) damage("completed", value);
  for (const char* value : {"7", "null", "{}"}) damage("run_dir", value);
  for (const char* value : {"\"2.5\"", "true"}) damage("loss", value);
  for (const char* value : {
           R"({})",
           R"([7])",
           R"([{"name":"n","ranks":[0]}])",
           R"([{"name":"","ranks":[0],"gone":false}])",
           R"([{"name":7,"ranks":[0],"gone":false}])",
           R"([{"name":"n","ranks":[],"gone":false}])",
           R"([{"name":"n","ranks":[-1],"gone":false}])",
           R"([{"name":"n","ranks":[2147483648],"gone":false}])",
           R"([{"name":"n","ranks":[1,0],"gone":false}])",
           R"([{"name":"n","ranks":[0,0],"gone":false}])",
           R"([{"name":"n","ranks":[0],"gone":0}])",
           R"([{"name":"n","ranks":0,"gone":false}])",
           R"([{"name":"n","ranks":[0],"gone":false},{"name":"n","ranks":[1],"gone":false}])",
           R"([{"name":"n","ranks":[0],"gone":false},{"name":"m","ranks":[0],"gone":true}])",
       }) {
    damage("placement", value);
  }
}

TEST(Store, ARowThatIsNoneOfThisRunIsNamed) {
  TempDir dir;
  auto store = Store::Open(dir.path()).value();
  ASSERT_TRUE(store->Create(NewRun("a"), "", kNow).ok());
  auto db = Database::Open(JoinPath(dir.path(), "galley.db")).value();
  const std::string other = EncodeRun(NewRun("b"));
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("7"), other,
        absl::StrCat("{\"state\":\"RUNNING\",\"placement\":", std::string(100'000, '['),
                     std::string(1'000'000, ']'), "}")}) {
    ASSERT_TRUE(db->Run("UPDATE runs SET body=?", {body}).ok());
    const absl::Status status = store->List().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << body.substr(0, 80) << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the row of run a: "));
  }
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
