#include "runtime/base/subprocess.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void WaitForEnd(const Process& process) {
  pollfd fd{process.pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&fd, 1, 20'000), 1);
}

class SubprocessTest : public ::testing::Test {
 protected:
  SpawnOptions Shell(const std::string& script) {
    SpawnOptions options;
    options.argv = {"/bin/sh", "-c", script};
    options.log_path = log_;
    return options;
  }
  Process Run(const std::string& script) {
    auto held = HeldProcess::Spawn(Shell(script));
    EXPECT_TRUE(held.ok()) << held.status();
    return std::move(*held).Release();
  }
  TempDir dir_;
  std::string log_ = JoinPath(dir_.path(), "log");
};

TEST_F(SubprocessTest, TellsTheExitStatusAndAppendsToTheLog) {
  for (int code : {0, 3}) {
    Process process = Run(absl::StrCat("echo out; echo err >&2; exit ", code));
    WaitForEnd(process);
    EXPECT_TRUE(process.Ended());
    const Process::End end = process.Reap();
    EXPECT_EQ(end.code, code);
    EXPECT_EQ(end.signal, 0);
  }
  EXPECT_EQ(*ReadFile(log_), "out\nerr\nout\nerr\n");
}

TEST_F(SubprocessTest, TellsTheSignal) {
  Process process = Run("exec sleep 1000");
  process.Signal(SIGKILL);
  WaitForEnd(process);
  const Process::End end = process.Reap();
  EXPECT_EQ(end.code, -1);
  EXPECT_EQ(end.signal, SIGKILL);
  process.Signal(SIGKILL);  // ignored
}

TEST_F(SubprocessTest, TheChildHasItsOwnSessionItsEnvironmentAndNothingOfOurs) {
  ASSERT_EQ(::setenv("GALLEY_TEST_OURS", "ours", 1), 0);
  std::signal(SIGPIPE, SIG_IGN);
  // ls in no pipe: the shell holds an end of it until it has started the other side.
  SpawnOptions options = Shell(
      "echo $GALLEY_TEST_OURS $GALLEY_TEST_MORE; cut -d' ' -f6 /proc/$$/stat; echo $$; "
      "ls /proc/$$/fd; grep SigIgn /proc/$$/status");
  options.environment = {{"GALLEY_TEST_MORE", "more"}};
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);  // without CLOEXEC
  auto held = HeldProcess::Spawn(options);
  ASSERT_TRUE(held.ok());
  Process process = std::move(*held).Release();
  WaitForEnd(process);
  process.Reap();
  ::close(pipe[0]);
  ::close(pipe[1]);
  const std::vector<std::string> lines = absl::StrSplit(*ReadFile(log_), '\n');
  ASSERT_GE(lines.size(), 7u);
  EXPECT_EQ(lines[0], "ours more");
  EXPECT_EQ(lines[1], lines[2]);  // leader of its session
  EXPECT_THAT(std::vector<std::string>(lines.begin() + 3, lines.begin() + 6), ElementsAre("0", "1", "2"));
  EXPECT_THAT(lines[6], HasSubstr("0000000000000000"));  // SIGPIPE is not ignored there
}

TEST_F(SubprocessTest, AChildCanStayInOurSessionAndWriteToADescriptor) {
  int out[2], in[2];
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  SpawnOptions options = Shell("read line; echo $line; cut -d' ' -f6 /proc/$$/stat; echo err >&2");
  options.stdin_fd = in[0];
  options.stdout_fd = out[1];
  options.own_session = false;
  absl::StatusOr<Process> process = Spawn(options);
  ASSERT_TRUE(process.ok()) << process.status();
  ::close(in[0]);
  ::close(out[1]);
  EXPECT_FALSE(process->Ended());  // it waits for its line
  ASSERT_EQ(::write(in[1], "line\n", 5), 5);
  ::close(in[1]);
  std::string text;
  char buffer[64];
  for (ssize_t n; (n = ::read(out[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  ::close(out[0]);
  EXPECT_EQ(process->Reap().code, 0);
  EXPECT_EQ(text, absl::StrCat("line\n", ::getsid(0), "\n"));
  EXPECT_EQ(*ReadFile(log_), "err\n");
}

TEST_F(SubprocessTest, AHeldChildDoesNothingAndEndsWhenItIsNotReleased) {
  pid_t pid = 0;
  {
    auto held = HeldProcess::Spawn(Shell("echo ran"));
    ASSERT_TRUE(held.ok());
    pid = held->identity().pid;
    EXPECT_EQ(*ProcessStartTime(pid), held->identity().start_time);
  }
  EXPECT_EQ(ProcessStartTime(pid).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*ReadFile(log_), "");
}

// The write that releases it must not bring SIGPIPE upon us, which nothing here ignores.
TEST_F(SubprocessTest, AHeldChildThatIsKilledIsReleasedAllTheSame) {
  auto held = HeldProcess::Spawn(Shell("echo ran"));
  ASSERT_TRUE(held.ok());
  ASSERT_EQ(::kill(held->identity().pid, SIGKILL), 0);
  siginfo_t info;  // waits for its end and leaves it to be reaped
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(held->identity().pid), &info, WEXITED | WNOWAIT), 0);
  Process process = std::move(*held).Release();
  EXPECT_EQ(process.Reap().signal, SIGKILL);
  EXPECT_EQ(*ReadFile(log_), "");
}

TEST_F(SubprocessTest, AMissingProgramSaysSoInTheLog) {
  SpawnOptions options;
  options.argv = {"/no/such/program"};
  options.log_path = log_;
  Process process = std::move(*HeldProcess::Spawn(options)).Release();
  WaitForEnd(process);
  EXPECT_EQ(process.Reap().code, 127);
  EXPECT_THAT(*ReadFile(log_), HasSubstr("cannot execute /no/such/program: No such file"));
}

TEST_F(SubprocessTest, AdoptFindsTheSameProcessAndNoOther) {
  Process process = Run("exec sleep 1000");
  ProcessIdentity identity = process.identity();
  {
    auto adopted = Process::Adopt(identity);
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    ProcessIdentity reused = identity;
    --reused.start_time;
    EXPECT_EQ(Process::Adopt(reused).status().code(), absl::StatusCode::kNotFound);
    ProcessIdentity before_boot = identity;
    before_boot.boot_id = "another";
    EXPECT_EQ(Process::Adopt(before_boot).status().code(), absl::StatusCode::kNotFound);
    adopted->Signal(SIGKILL);
  }
  WaitForEnd(process);
  EXPECT_EQ(Process::Adopt(identity).status().code(), absl::StatusCode::kNotFound);  // a zombie is no process
  process.Reap();
  EXPECT_EQ(Process::Adopt(identity).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace galley
