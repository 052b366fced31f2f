// Runs the product's programs as a user would, for tests that cross modules.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace galley::testing {

struct Outcome {
  int code = -1;    // exit status; 128 + signal when killed
  std::string out;  // standard output
  std::string err;
};

// Starts argv[0] with standard output and error in files, waits in Wait. `dir` is its working folder; `env`
// is added to the environment ("NAME=value").
class Program {
 public:
  Program(std::vector<std::string> argv, const std::string& dir, std::vector<std::string> env = {});
  ~Program();  // kills it when it still runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal);  // REQUIRES: not waited for yet
  // Kills it and fails the outcome with code 137 when it has not ended after `seconds`.
  Outcome Wait(double seconds);

 private:
  pid_t pid_ = -1;
  std::string out_path_, err_path_;
};

Outcome Run(std::vector<std::string> argv, const std::string& dir, double seconds = 120,
            std::vector<std::string> env = {});

// A built program's path.
std::string Bin(const std::string& name);

// Live galley-rank processes whose command line names `run_dir`, by rank.
struct RankProcess {
  pid_t pid = -1;
  int rank = -1;
};
std::vector<RankProcess> RanksOf(const std::string& run_dir);

}  // namespace galley::testing
