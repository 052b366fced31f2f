#include "tests/support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "runtime/base/check.h"
#include "tests/support/paths.h"

extern char** environ;

namespace galley::testing {
namespace {

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string TemporaryFile() {
  std::string path = (std::filesystem::temp_directory_path() / "galley-test.XXXXXX").string();
  int fd = ::mkstemp(path.data());
  CHECK_GE(fd, 0);
  ::close(fd);
  return path;
}

}  // namespace

Program::Program(std::vector<std::string> argv, const std::string& dir, std::vector<std::string> env)
    : out_path_(TemporaryFile()), err_path_(TemporaryFile()) {
  std::vector<char*> args, vars;
  for (std::string& a : argv) args.push_back(a.data());
  args.push_back(nullptr);
  for (char** v = environ; *v != nullptr; ++v) vars.push_back(*v);
  for (std::string& v : env) vars.push_back(v.data());
  vars.push_back(nullptr);
  pid_ = ::fork();
  CHECK_GE(pid_, 0);
  if (pid_ != 0) return;
  int in = ::open("/dev/null", O_RDONLY), out = ::open(out_path_.c_str(), O_WRONLY | O_TRUNC),
      err = ::open(err_path_.c_str(), O_WRONLY | O_TRUNC);
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0 || ::chdir(dir.c_str()) != 0)
    ::_exit(126);
  ::execve(args[0], args.data(), vars.data());
  ::_exit(127);
}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::filesystem::remove(out_path_);
  std::filesystem::remove(err_path_);
}

void Program::Signal(int signal) {
  // Without this a program that has ended would have everything signalled that this user may signal.
  CHECK_GT(pid_, 0) << "the program was waited for";
  ::kill(pid_, signal);
}

Outcome Program::Wait(double seconds) {
  int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  CHECK_GE(fd, 0);
  pollfd p = {.fd = fd, .events = POLLIN, .revents = 0};
  bool late = ::poll(&p, 1, static_cast<int>(seconds * 1000)) == 0;
  ::close(fd);
  if (late) ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  Outcome o;
  o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  o.out = Slurp(out_path_);
  o.err = Slurp(err_path_);
  if (late) o.err += "\n(killed: it did not end in time)";
  return o;
}

Outcome Run(std::vector<std::string> argv, const std::string& dir, double seconds,
            std::vector<std::string> env) {
  return Program(std::move(argv), dir, std::move(env)).Wait(seconds);
}

std::string Bin(const std::string& name) { return BinDir() + "/" + name; }

std::vector<RankProcess> RanksOf(const std::string& run_dir) {
  std::vector<RankProcess> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), ::isdigit)) continue;
    std::string line = Slurp(entry.path() / "cmdline");
    std::vector<std::string> args;
    std::istringstream in(line);
    for (std::string arg; std::getline(in, arg, '\0');) args.push_back(arg);
    if (args.empty() || args[0].find("galley-rank") == std::string::npos) continue;
    RankProcess process;
    process.pid = std::atoi(name.c_str());
    bool ours = false;
    for (size_t i = 0; i + 1 < args.size(); ++i) {
      if (args[i] == "--run-dir") ours = args[i + 1] == run_dir;
      if (args[i] == "--rank") process.rank = std::atoi(args[i + 1].c_str());
    }
    if (ours) out.push_back(process);
  }
  return out;
}

}  // namespace galley::testing
