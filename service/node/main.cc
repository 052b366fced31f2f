// trainerd: one a machine.
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "runtime/base/event_loop.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/user_dirs.h"
#include "service/node/node.h"

namespace galley::service {
namespace {

// A private trainerd lets its ranks save and leave before it ends them.
constexpr absl::Duration kPrivateGrace = absl::Seconds(30);
constexpr absl::Duration kPrivateOrphanLimit = absl::Seconds(30);

struct Flags {
  std::string controller, token_file, tls_ca, state_dir, name, rank_binary;
  bool stop_ranks = false, private_daemon = false;
};

std::string BesideUs(const std::string& name) {
  char path[4096];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof(path));
  return n > 0 ? JoinPath(DirName(absl::string_view(path, static_cast<size_t>(n))), name) : name;
}

int Fail(const absl::Status& status) {
  fprintf(stderr, "trainerd: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Run(const Flags& flags) {
  // Blocked before any thread starts, so that only the loop takes them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  InitLog("trainerd");

  absl::StatusOr<std::string> state = StateFolder(flags.state_dir);
  if (!state.ok()) return Fail(state.status());
  absl::StatusOr<std::string> rank_binary =
      AbsolutePath(flags.rank_binary.empty() ? BesideUs("galley-rank") : flags.rank_binary);
  if (!rank_binary.ok()) return Fail(rank_binary.status());
  NodeOptions options;
  options.controller.address = flags.controller;
  // A private controller listens on its own socket and asks for nothing; what the environment says is meant
  // for a shared one.
  if (!flags.private_daemon) {
    options.controller.token_file = flags.token_file;
    options.controller.tls_ca = flags.tls_ca;
  }
  options.state_dir = *state;
  options.name = flags.name;
  options.rank_binary = *rank_binary;
  if (options.controller.address.empty()) {
    absl::StatusOr<std::string> socket = DefaultControllerSocket();
    if (!socket.ok()) return Fail(socket.status());
    options.controller.address = absl::StrCat("unix:", *socket);
  }
  if (flags.private_daemon) options.orphan_limit = kPrivateOrphanLimit;

  EventLoop loop;
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Create(loop, options);
  if (!node.ok()) return Fail(node.status());

  bool ending = false;
  auto end = [&](const std::string& why, absl::Duration grace) {
    if (std::exchange(ending, true) && grace > absl::ZeroDuration()) return;
    LogInfo("ends: ", why);
    (*node)->StopAll(why, grace, [&] { loop.Stop(); });
  };
  (*node)->OnShutdown([&](const std::string& why) { end(why, kPrivateGrace); });

  const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  loop.Watch(signal_fd, false, [&](bool, bool) {
    signalfd_siginfo info;
    while (::read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
      if (!flags.stop_ranks && !flags.private_daemon) {
        LogInfo("ends by a signal; ranks go on, the next trainerd of this state folder takes them over");
        loop.Stop();
        return;
      }
      // A second signal does not wait for saves.
      end("a signal", ending ? absl::ZeroDuration() : kPrivateGrace);
    }
  });
  int parent = -1;
  if (flags.private_daemon) {
    parent = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));
    if (parent < 0) {
      end("its parent has ended", kPrivateGrace);
    } else {
      loop.Watch(parent, false, [&](bool, bool) {
        loop.Unwatch(parent);
        end("its parent has ended", kPrivateGrace);
      });
    }
  }
  LogInfo("serves ", options.controller.address, " with state in ", options.state_dir);
  loop.Run();
  // Everything is on disk or drained; closing the metrics endpoint in order would take two seconds for
  // nothing.
  fflush(nullptr);
  ::_exit(0);
}

}  // namespace
}  // namespace galley::service

int main(int argc, char** argv) {
  galley::service::Flags flags;
  CLI::App app{"trainerd: runs the ranks of one machine for a Galley controller"};
  app.add_option("--controller", flags.controller, "unix:PATH or host:port; default: the user's socket")
      ->envname("GALLEY_CONTROLLER");
  app.add_option("--token-file", flags.token_file, "Show the controller this file's first line")
      ->envname("GALLEY_TOKEN_FILE");
  app.add_option("--tls-ca", flags.tls_ca,
                 "Speak TLS, with a controller whose certificate this PEM vouches for")
      ->envname("GALLEY_TLS_CA");
  app.add_option("--state-dir", flags.state_dir, "Folder for its state; default: $XDG_STATE_HOME/galley");
  app.add_option("--name", flags.name, "Name of this node; default: the host's");
  app.add_option("--rank-binary", flags.rank_binary,
                 "Program of a rank; default: galley-rank beside this one");
  app.add_flag("--stop-ranks", flags.stop_ranks,
               "On SIGTERM let ranks save and leave instead of leaving them running");
  app.add_flag("--private", flags.private_daemon,
               "End with the parent process or the controller, and never leave a rank behind");
  app.set_version_flag("--version", GALLEY_VERSION);
  CLI11_PARSE(app, argc, argv);
  return galley::service::Run(flags);
}
