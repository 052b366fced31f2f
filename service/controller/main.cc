// galley-controller: keeps the runs of one state folder, and listens for trainctl and trainerd.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/base/user_dirs.h"
#include "service/controller/core.h"
#include "service/controller/server.h"

namespace galley::service {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(30);  // of a private controller, for a last save

struct Flags {
  std::string listen;
  std::string state_dir;
  ListenOptions options;
  bool owned = false;
};

enum class End { kSignal, kOwnerGone };

// Until SIGTERM or SIGINT; or, for a private controller, until its owner closes our standard input.
End WaitForEnd(int signals, bool owned) {
  struct pollfd fds[2] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (true) {
    if (poll(fds, owned ? 2 : 1, -1) < 0) continue;
    if (fds[0].revents != 0) return End::kSignal;
    char buffer[256];
    if (owned && fds[1].revents != 0 && read(STDIN_FILENO, buffer, sizeof buffer) <= 0)
      return End::kOwnerGone;
  }
}

absl::Status Run(Flags flags) {
  // Blocked before any thread starts, so that only the signalfd sees them.
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  const int signals = signalfd(-1, &mask, SFD_CLOEXEC);
  if (signals < 0) return ErrnoStatus(errno, "signalfd");

  ASSIGN_OR_RETURN(flags.options.state_dir, StateFolder(flags.state_dir));
  if (flags.listen.empty()) {
    ASSIGN_OR_RETURN(std::string socket, DefaultControllerSocket());
    flags.listen = absl::StrCat("unix:", socket);
  }
  flags.options.address = flags.listen;
  launcher::Launchers launchers;
  launchers[recipe::LauncherKind::kLocal] = launcher::MakeLocal();
  ASSIGN_OR_RETURN(std::unique_ptr<Core> core,
                   Core::Create(flags.options.state_dir, Clock::Real(), std::move(launchers)));
  ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Start(*core, flags.options));
  LogInfo("galley-controller " GALLEY_VERSION " listens on ", server->address(), ", state in ",
          flags.options.state_dir);
  const End end = WaitForEnd(signals, flags.owned);
  if (end == End::kOwnerGone) {
    LogInfo("the owner is gone: saving and pausing what runs");
    core->WindDown(kPatience);
  }
  // Runs of a controller that is merely stopped go on by themselves; the next one adopts them.
  LogInfo("galley-controller ends");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Keeps runs: their states, attempts and nodes.", "galley-controller"};
  app.set_version_flag("--version", "galley " GALLEY_VERSION);
  app.add_option("--listen", flags.listen, "unix:PATH (default: the user's socket) or HOST:PORT");
  app.add_option("--state-dir", flags.state_dir, "Where runs and events are kept");
  app.add_option("--token-file", flags.options.token_file, "Ask every caller for this file's first line");
  app.add_option("--tls-cert", flags.options.tls_cert, "Certificate chain, PEM");
  app.add_option("--tls-key", flags.options.tls_key, "Its private key, PEM");
  app.add_flag("--owned", flags.owned, "End, after pausing what runs, when standard input is closed");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  signal(SIGPIPE, SIG_IGN);
  InitLog("controller");
  const absl::Status status = Run(std::move(flags));
  if (status.ok()) return 0;
  fprintf(stderr, "galley-controller: %s\n", std::string(status.message()).c_str());
  return absl::IsFailedPrecondition(status) ? 7 : 1;
}

}  // namespace
}  // namespace galley::service

int main(int argc, char** argv) { return galley::service::Main(argc, argv); }
