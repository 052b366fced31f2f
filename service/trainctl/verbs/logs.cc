// trainctl logs: what the ranks wrote.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string run;
  int rank = -1;
  int64_t attempt = 0;
  bool follow = false;
};

int Run(const Options& options, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, options.run);
  if (!client.ok()) return Fail(client.status());
  v1::LogsRequest request;
  request.set_run(client->run);
  request.set_rank(options.rank);
  request.set_attempt(options.attempt);
  request.set_follow(options.follow);
  const bool plain = globals.output == "table" || globals.output == "wide";
  int64_t last_attempt = 0;
  int last_rank = -1;
  const absl::Status status = client->client->Logs(request, [&](const v1::LogChunk& chunk) {
    if (!plain) {
      PrintStreamed(globals, {}, "text",
                    {{"attempt", chunk.attempt()}, {"rank", int64_t{chunk.rank()}}, {"text", chunk.text()}});
      return true;
    }
    if (chunk.attempt() != last_attempt || chunk.rank() != last_rank) {
      fprintf(stderr, "==> attempt %lld, rank %d\n", static_cast<long long>(chunk.attempt()), chunk.rank());
      last_attempt = chunk.attempt();
      last_rank = chunk.rank();
    }
    fwrite(chunk.text().data(), 1, chunk.text().size(), stdout);
    return fflush(stdout) == 0;
  });
  return status.ok() ? kOk : Fail(status);
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  AddRunOption(app, &options->run);
  app.add_option("--rank", options->rank, "Only this rank")->check(CLI::NonNegativeNumber);
  app.add_option("--attempt", options->attempt, "Only this attempt")->check(CLI::PositiveNumber);
  app.add_flag("-f,--follow", options->follow, "Go on until the run stands still");
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kLogsVerb = {"logs", "Print what the ranks wrote, over all attempts", Declare};

}  // namespace galley::trainctl
