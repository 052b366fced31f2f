// A whole service in a temporary folder, for tests: the real controller and trainerd, with fake-rank in the
// ranks' place, driven by trainctl as a user drives it.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "runtime/base/file.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

struct Ran {
  int code = -1;
  std::string out, err;
};

// A child process. Ended, at the latest, with the object.
class Child {
 public:
  Child() = default;
  Child(const std::vector<std::string>& argv, const std::map<std::string, std::string>& environment,
        const std::string& out_path, const std::string& err_path, const std::string& cwd);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();
  void Signal(int signal) const;
  // Exit status, 128 + signal, or -1 when it has not ended in time.
  int Wait(absl::Duration timeout = absl::Seconds(60));
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class ServiceTest : public testing::Test {
 protected:
  static constexpr absl::Duration kPatience = absl::Seconds(60);

  ServiceTest();
  ~ServiceTest() override;

  void StartController();
  void StartTrainerd(const std::string& rank_binary = "fake-rank");
  void StartService() {
    StartController();
    StartTrainerd();
  }

  // trainctl to its end; with the test's own HOME, state and temporary folders, in work().
  Ran Trainctl(const std::vector<std::string>& arguments);
  Child StartTrainctl(const std::vector<std::string>& arguments, const std::string& tag);
  nlohmann::json Json(const std::vector<std::string>& arguments);  // with -o json; expects exit 0

  // What fake-rank does in the next run (its JSON script), and that run's submission. Gives the run's id.
  std::string Submit(const std::string& script, const std::vector<std::string>& more = {});
  std::string RunDir(const std::string& name) const { return JoinPath(work(), "r-" + name); }
  std::string NewRunDir(const std::string& script);  // a fresh one with that script in it
  void Go(const std::string& run_dir) { ASSERT_TRUE(AtomicWrite(JoinPath(run_dir, "go"), "").ok()); }

  // Until the run's state is one of these; its status then.
  nlohmann::json Await(const std::string& run, const std::vector<std::string>& states);
  // Until `done` says so of the status.
  nlohmann::json AwaitStatus(const std::string& run, const std::function<bool(const nlohmann::json&)>& done);
  std::vector<nlohmann::json> Events(const std::string& run);
  // Events of that kind.
  int Count(const std::string& run, const std::string& kind);
  std::string Output(const std::string& name) const {
    return ReadFile(JoinPath(home_.path(), name)).value_or("");
  }

  static std::vector<std::string> Names(const std::string& dir);  // in it; none when there is no such folder
  const std::string& work() const { return work_; }

  TempDir home_;
  std::string work_;
  std::map<std::string, std::string> environment_;
  Child controller_;
  Child trainerd_;
  int runs_ = 0;
  int daemons_ = 0;
};

}  // namespace galley::trainctl
