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
#include "runtime/base/executable.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
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

int Fail(const absl::Status& status) {
  fprintf(stderr, "trainerd: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<NodeOptions> OptionsOf(const Flags& flags) {
  NodeOptions options;
  ASSIGN_OR_RETURN(options.state_dir, StateFolder(flags.state_dir));
  std::string rank_binary = flags.rank_binary;
  if (rank_binary.empty()) {
    ASSIGN_OR_RETURN(rank_binary, PathBesideOurs("galley-rank"));
  }
  ASSIGN_OR_RETURN(options.rank_binary, AbsolutePath(rank_binary));
  options.name = flags.name;
  options.controller.address = flags.controller;
  // A private controller listens on its own socket and asks for nothing; what the environment says is meant
  // for a shared one.
  if (!flags.private_daemon) {
    options.controller.token_file = flags.token_file;
    options.controller.tls_ca = flags.tls_ca;
  }
  if (options.controller.address.empty()) {
    ASSIGN_OR_RETURN(const std::string socket, DefaultControllerSocket());
    options.controller.address = absl::StrCat("unix:", socket);
  }
  if (flags.private_daemon) options.orphan_limit = kPrivateOrphanLimit;
  return options;
}

// What ends the daemon: an order, a signal, and the end of the trainctl that a private one belongs to.
class Shutdown {
 public:
  Shutdown(EventLoop& loop, Node& node, const Flags& flags)
      : loop_(loop), node_(node), stops_ranks_(flags.stop_ranks || flags.private_daemon) {
    node_.OnShutdown([this](const std::string& why) { Begin(why, kPrivateGrace); });
  }

  // `signals` are blocked in every thread, so that this descriptor alone tells of them.
  void WatchSignals(const sigset_t& signals) {
    const int fd = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    loop_.Watch(fd, false, [this, fd](bool, bool) {
      signalfd_siginfo info;
      while (::read(fd, &info, sizeof(info)) == sizeof(info)) OnSignal();
    });
  }

  void WatchParent() {
    const int parent = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));
    if (parent < 0) return Begin("its parent has ended", kPrivateGrace);
    loop_.Watch(parent, false, [this, parent](bool, bool) {
      loop_.Unwatch(parent);
      Begin("its parent has ended", kPrivateGrace);
    });
  }

 private:
  void OnSignal() {
    if (!stops_ranks_) {
      LogInfo("ends by a signal; ranks go on, the next trainerd of this state folder takes them over");
      loop_.Stop();
      return;
    }
    // A second signal does not wait for saves.
    Begin("a signal", ending_ ? absl::ZeroDuration() : kPrivateGrace);
  }

  void Begin(const std::string& why, absl::Duration grace) {
    if (std::exchange(ending_, true) && grace > absl::ZeroDuration()) return;
    LogInfo("ends: ", why);
    node_.StopAll(why, grace, [this] { loop_.Stop(); });
  }

  EventLoop& loop_;
  Node& node_;
  const bool stops_ranks_;
  bool ending_ = false;
};

int Run(const Flags& flags) {
  // Blocked before any thread starts, so that only the loop takes them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  InitLog("trainerd");

  const absl::StatusOr<NodeOptions> options = OptionsOf(flags);
  if (!options.ok()) return Fail(options.status());
  EventLoop loop;
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Create(loop, *options);
  if (!node.ok()) return Fail(node.status());
  Shutdown shutdown(loop, **node, flags);
  shutdown.WatchSignals(signals);
  if (flags.private_daemon) shutdown.WatchParent();
  LogInfo("serves ", options->controller.address, " with state in ", options->state_dir);
  loop.Run();
  // Everything is on disk or drained: two seconds to close the metrics endpoint in order would be lost.
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
