// The harness of testing.h.
#include "service/trainctl/testing.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "runtime/data/store/indexed_dataset_writer.h"
#include "tests/support/paths.h"

extern char** environ;

namespace galley::trainctl {
namespace {

constexpr char kRecipe[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: tiny}
model: {family: llama, layers: 1, hidden: 32, heads: 2, kv_heads: 1, ffn: 64, context: 16, vocab: 256}
precision: {compute: f32}
data:
  tokenizer: {kind: bytes}
  train: [{path: corpus}]
  split: [1, 0, 0]
batch: {micro: 2, global: 4}
train: {until: 20 steps, seed: 1}
optimizer: {kind: adamw}
schedule:
  lr: {peak: 1e-3, min: 1e-4, warmup: 2 steps, decay: cosine}
parallelism: {data: 2}
checkpoint: {every: [{interval: 5 steps}]}
launcher: {kind: local, threads_per_rank: 1}
exporters: [{kind: jsonl}]
)";

std::string Program(const std::string& name) { return JoinPath(BinDir(), name); }

}  // namespace

Child::Child(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
             const std::string& out_path, const std::string& err_path, const std::string& cwd) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(absl::StrCat(name, "=", value));
  std::vector<char*> args, envp;
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  for (const std::string& v : variables) envp.push_back(const_cast<char*>(v.c_str()));
  args.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, cwd.c_str());
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (posix_spawn(&pid_, args[0], &actions, nullptr, args.data(), envp.data()) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
}

Child::Child(Child&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Child::~Child() {
  if (pid_ <= 0) return;
  Signal(SIGKILL);
  Wait();
}

void Child::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int Child::Wait(absl::Duration timeout) {
  if (pid_ <= 0) return -1;
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  struct pollfd ended = {fd, POLLIN, 0};
  const int ready = poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  close(fd);
  if (ready <= 0) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ServiceTest::ServiceTest() {
  work_ = JoinPath(home_.path(), "work");
  EXPECT_TRUE(MakeDirs(work_).ok());
  const char* path = getenv("PATH");
  environment_ = {{"HOME", home_.path()},
                  {"PATH", path == nullptr ? "/usr/bin:/bin" : path},
                  {"TMPDIR", home_.path()},
                  {"GALLEY_RANK_BINARY", Program("fake-rank")}};
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "UCX_MEM_EVENTS"}) {
    if (const char* options = getenv(name); options != nullptr) environment_[name] = options;
  }
  EXPECT_TRUE(AtomicWrite(JoinPath(work_, "tiny.yaml"), kRecipe).ok());
  auto corpus = data::IndexedDatasetWriter::Create(JoinPath(work_, "corpus"), data::TokenType::kU16).value();
  const std::vector<int32_t> document(2000, 65);
  EXPECT_TRUE(corpus->AddDocument(document).ok());
  EXPECT_TRUE(corpus->Finish().ok());
}

ServiceTest::~ServiceTest() {
  // trainerd takes its ranks along; they are of no use without the temporary folder.
  trainerd_.Signal(SIGTERM);
  if (trainerd_.running()) trainerd_.Wait();
}

void ServiceTest::StartController() {
  const std::string log = JoinPath(home_.path(), absl::StrCat("controller-", daemons_++, ".log"));
  controller_ = Child({Program("galley-controller")}, environment_, log + ".out", log, work_);
  // Answers at once, or as soon as it listens.
  const absl::Time deadline = absl::Now() + kPatience;
  while (Trainctl({"list"}).code != kOk) ASSERT_LT(absl::Now(), deadline) << ReadFile(log).value_or("");
}

void ServiceTest::StartTrainerd(const std::string& rank_binary) {
  const std::string log = JoinPath(home_.path(), absl::StrCat("trainerd-", daemons_++, ".log"));
  trainerd_ =
      Child({Program("trainerd"), "--name", "n1", "--stop-ranks", "--rank-binary", Program(rank_binary)},
            environment_, log + ".out", log, work_);
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    const nlohmann::json nodes = Json({"nodes"});
    if (!nodes.empty() && nodes[0]["state"] != "AWAY") return;
    ASSERT_LT(absl::Now(), deadline) << ReadFile(log).value_or("");
  }
}

Child ServiceTest::StartTrainctl(const std::vector<std::string>& arguments, const std::string& tag) {
  std::vector<std::string> argv = {Program("trainctl")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Child(argv, environment_, JoinPath(home_.path(), tag + ".out"), JoinPath(home_.path(), tag + ".err"),
               work_);
}

Ran ServiceTest::Trainctl(const std::vector<std::string>& arguments) {
  Child child = StartTrainctl(arguments, "trainctl");
  Ran ran;
  ran.code = child.Wait(kPatience);
  ran.out = Output("trainctl.out");
  ran.err = Output("trainctl.err");
  return ran;
}

nlohmann::json ServiceTest::Json(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = arguments;
  all.insert(all.end(), {"-o", "json"});
  const Ran ran = Trainctl(all);
  EXPECT_EQ(ran.code, kOk) << absl::StrCat(arguments[0], ": ", ran.err);
  return nlohmann::json::parse(ran.out, nullptr, /*allow_exceptions=*/false);
}

std::string ServiceTest::NewRunDir(const std::string& script) {
  const std::string dir = RunDir(std::to_string(runs_++));
  EXPECT_TRUE(MakeDirs(dir).ok());
  EXPECT_TRUE(AtomicWrite(JoinPath(dir, "fake_rank.json"), script).ok());
  return dir;
}

std::string ServiceTest::Submit(const std::string& script, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"submit", "tiny.yaml", "--run-dir", NewRunDir(script)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const nlohmann::json row = Json(arguments);
  return row.value("id", std::string());
}

nlohmann::json ServiceTest::AwaitStatus(const std::string& run,
                                        const std::function<bool(const nlohmann::json&)>& done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    const nlohmann::json status = Json({"status", run});
    if (done(status)) return status;
    if (absl::Now() > deadline) {
      ADD_FAILURE() << "run " << run << " does not get there: " << status.dump(2)
                    << Trainctl({"events", run}).out;
      return status;
    }
  }
}

nlohmann::json ServiceTest::Await(const std::string& run, const std::vector<std::string>& states) {
  return AwaitStatus(run, [&](const nlohmann::json& status) {
    return std::find(states.begin(), states.end(), status.value("state", "")) != states.end();
  });
}

std::vector<nlohmann::json> ServiceTest::Events(const std::string& run) {
  const nlohmann::json events = Json({"events", run});
  return {events.begin(), events.end()};
}

std::vector<std::string> ServiceTest::Names(const std::string& dir) {
  auto names = ListDir(dir);
  if (!names.ok()) return {};
  return *std::move(names);
}

int ServiceTest::Count(const std::string& run, const std::string& kind) {
  int n = 0;
  for (const nlohmann::json& event : Events(run)) n += event.value("kind", "") == kind ? 1 : 0;
  return n;
}

}  // namespace galley::trainctl
