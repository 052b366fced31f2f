// trainctl generate: text from a checkpoint. A galley-rank of its own loads it: no controller takes part, so
// a sample can be had of a run that trains, that is over, or whose daemons are gone.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "galley/v1/rank.pb.h"
#include "runtime/base/executable.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/base/subprocess.h"
#include "runtime/checkpoint/checkpoint.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/private_service.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/private/stored_run.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

struct Options {
  std::string what;
  std::string prompt;
  int max_tokens = 256;
  double temperature = 0.8;
  int top_k = 0;
  double top_p = 0;
  uint64_t seed = 1;
  int threads = 0;
};

struct Subject {
  std::string run_dir;
  std::string checkpoint;
};

// The run directory that a checkpoint belongs to: the nearest folder above it with a recipe.
absl::StatusOr<std::string> RunDirAbove(const std::string& checkpoint) {
  for (std::string dir = DirName(checkpoint); dir.size() > 1; dir = DirName(dir)) {
    if (FileExists(JoinPath(dir, "recipe.yaml"))) return dir;
  }
  return absl::NotFoundError(absl::StrCat(
      checkpoint, ": no folder above it holds the run's recipe.yaml; name the run directory instead"));
}

absl::StatusOr<std::string> RunDirOf(const std::string& what, const Globals& globals) {
  if (FileExists(JoinPath(what, "recipe.yaml"))) return AbsolutePath(what);
  if (globals.controller.empty()) {
    absl::StatusOr<PrivateRun> own = FindPrivate(globals, what);
    if (own.ok()) return own->run_dir;
    if (!absl::IsNotFound(own.status())) return own.status();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Open(globals));
  ASSIGN_OR_RETURN(v1::RunSummary summary, client->Get(what));
  return summary.run_dir();
}

absl::StatusOr<v1::Start> MakeStart(const Options& options, const Globals& globals) {
  Subject subject;
  const std::string path = AbsolutePath(options.what).value_or(options.what);
  if (FileExists(JoinPath(path, "manifest.json"))) {
    subject.checkpoint = path;
    ASSIGN_OR_RETURN(subject.run_dir, RunDirAbove(path));
  } else {
    ASSIGN_OR_RETURN(subject.run_dir, RunDirOf(options.what, globals));
  }
  ASSIGN_OR_RETURN(const prepare::PrepareResult prepared, ReadRunRecipe(subject.run_dir));
  const recipe::RecipeSpec& spec = prepared.prepared->spec;
  if (subject.checkpoint.empty()) {
    ASSIGN_OR_RETURN(subject.checkpoint,
                     checkpoint::FindLatest(CheckpointFolder(spec, subject.run_dir), nullptr));
  }
  v1::Start start;
  start.set_run_name(spec.metadata.name);
  start.set_run_dir(subject.run_dir);
  start.set_world(1);
  start.set_attempt(1);
  start.set_threads(options.threads > 0
                        ? options.threads
                        : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  start.mutable_recipe()->set_canonical(prepared.text.canonical);
  start.mutable_recipe()->set_root(prepared.text.root);
  start.mutable_inventory()->set_json(plan::InventoryToJson(prepared.prepared->plan.inventory));
  start.set_plan_hash(prepared.prepared->plan.hash);
  start.set_restore_path(subject.checkpoint);
  v1::GenerateTask& task = *start.mutable_generate();
  task.set_prompt(options.prompt);
  task.set_max_tokens(options.max_tokens);
  task.set_temperature(options.temperature);
  task.set_top_k(options.top_k);
  task.set_top_p(options.top_p);
  task.set_seed(options.seed);
  return start;
}

absl::StatusOr<std::string> RankBinary() {
  if (const char* given = getenv("GALLEY_RANK_BINARY"); given != nullptr) return std::string(given);
  return PathBesideOurs("galley-rank");
}

// Runs galley-rank; what it prints goes to `text`, or, when that is null, to our own output as it comes.
absl::StatusOr<int> RunRank(const std::string& order_file, std::string* text) {
  ASSIGN_OR_RETURN(std::string program, RankBinary());
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  // In our session, so that the terminal's interrupt ends both.
  absl::StatusOr<Process> process = Spawn({.argv = {program, "--order-file", order_file},
                                           .stdout_fd = text != nullptr ? fds[1] : -1,
                                           .own_session = false});
  close(fds[1]);
  char buffer[4096];
  ssize_t n = 0;
  while (process.ok() && text != nullptr && (n = read(fds[0], buffer, sizeof buffer)) > 0)
    text->append(buffer, static_cast<size_t>(n));
  close(fds[0]);
  RETURN_IF_ERROR(process.status());
  const Process::End end = process->Reap();
  return end.signal == 0 ? end.code : int{kError};
}

int Run(const Options& options, const Globals& globals) {
  absl::StatusOr<v1::Start> start = MakeStart(options, globals);
  if (!start.ok()) return Fail(start.status());
  TempDir dir;
  const std::string order_file = JoinPath(dir.path(), "order");
  if (absl::Status written = AtomicWrite(order_file, start->SerializeAsString(), 0600); !written.ok()) {
    return Fail(written);
  }
  const bool plain = globals.output == "table" || globals.output == "wide";
  std::string text;
  fflush(stdout);
  absl::StatusOr<int> code = RunRank(order_file, plain ? nullptr : &text);
  if (!code.ok()) return Fail(code.status());
  if (*code != 0) return kError;  // the rank has said why
  if (!plain) {
    PrintRow(globals, {}, "text",
             {{"checkpoint", start->restore_path()}, {"prompt", options.prompt}, {"text", text}});
  }
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  auto options = std::make_shared<Options>();
  app.add_option("from", options->what, "A run (its newest checkpoint), or a checkpoint's folder")
      ->required()
      ->type_name("RUN|CHECKPOINT");
  app.add_option("--prompt", options->prompt, "The text to go on from");
  app.add_option("--max-tokens", options->max_tokens, "How many tokens at most")->check(CLI::PositiveNumber);
  app.add_option("--temperature", options->temperature, "0: always the likeliest token")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-k", options->top_k, "Only among the K likeliest; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", options->top_p, "Only among those that hold this share; 0: all")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options->seed, "The same seed gives the same text");
  app.add_option("--threads", options->threads, "0: all cores")->check(CLI::NonNegativeNumber);
  return [options, &globals] { return Run(*options, globals); };
}

}  // namespace

constinit const Verb kGenerateVerb = {"generate", "Let a checkpoint write text", Declare};

}  // namespace galley::trainctl
