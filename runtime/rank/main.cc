// galley-rank: one rank of a run. It trains by orders from its trainerd, or, with
// --order-file, carries out one task alone.
#include <omp.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/generate/task.h"
#include "runtime/link/client.h"
#include "runtime/train/outcome.h"
#include "runtime/train/rank.h"

namespace {

using galley::v1::Finished;
using galley::v1::Report;

// How long trainerd may take to send Start, and to acknowledge the last word.
constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kFlushTimeout = absl::Seconds(30);

int Train(const std::string& socket, galley::v1::Hello hello) {
  auto client = galley::link::Client::Connect(socket, hello);
  client->SetProgress(galley::v1::Phase::LOAD, 0);
  auto order = client->WaitOrder(kStartTimeout);
  Finished finished;
  if (!order.has_value() || !order->has_start()) {
    bool aborted = order.has_value() && order->has_abort();
    finished = galley::train::Finish(
        Finished::INTERNAL, 0,
        aborted ? order->abort().reason() : absl::StrCat(socket, ": no Start order came"));
  } else {
    finished = galley::train::RunRank(*client, order->start());
  }
  galley::LogInfo("ends: ", Finished::Outcome_Name(finished.outcome()), " at step ", finished.step(), " ",
                  finished.message());
  Report report;
  *report.mutable_finished() = finished;
  client->Send(std::move(report));
  if (!client->Flush(kFlushTimeout)) galley::LogWarning("trainerd did not acknowledge the last word");
  return galley::train::ExitCode(finished.outcome());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"One rank of a Galley run. trainerd starts it; it is not meant to be started by hand."};
  std::string run, run_dir, socket, order_file;
  int rank = 0;
  int64_t attempt = 0;
  app.add_option("--run", run, "Name of the run, for people who read process lists");
  app.add_option("--run-dir", run_dir, "The run's directory");
  app.add_option("--rank", rank, "Number of this rank");
  app.add_option("--attempt", attempt, "Number of the attempt");
  app.add_option("--socket", socket, "trainerd's Unix socket");
  app.add_option("--order-file", order_file, "A serialized Start order with a task to carry out alone");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  // A closed terminal or Ctrl-C is trainctl's to handle; ranks stop by orders.
  std::signal(SIGHUP, SIG_IGN);
  galley::InitLog(absl::StrCat("rank ", rank));
  if (!order_file.empty()) return galley::generate::RunTask(order_file);
  if (socket.empty()) {
    galley::LogError("--socket or --order-file is needed");
    return 2;
  }
  galley::v1::Hello hello;
  hello.set_rank(rank);
  hello.set_attempt(attempt);
  return Train(socket, hello);
}
