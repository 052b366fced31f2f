#include "absl/strings/numbers.h"
#include "runtime/recipe/kinds.h"
#include "runtime/recipe/tables.h"

namespace galley::recipe {

const Table& ParallelismTable() {
  static const Table table = MakeTable([](Table& t) {
    using P = Parallelism;
    Declare<P> d(t);
    d.Leaf("data", &P::data, IntegerCodec(), "Copies of the model, each with its part of every batch.")
        .AtLeast(1)
        .AtMost(1 << 20)
        .Warn();
    d.Leaf("tensor", &P::tensor, IntegerCodec(), "Ranks that share each matrix.")
        .AtLeast(1)
        .AtMost(1 << 12)
        .Warn();
    d.Leaf("pipeline", &P::pipeline, IntegerCodec(), "Ranks that share the layers.")
        .AtLeast(1)
        .AtMost(1 << 12)
        .Warn();
  });
  return table;
}

const Table& RecomputeTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Recompute>(t).Leaf("mode", &Recompute::mode,
                               ChoiceCodec<RecomputeMode>({{"none", RecomputeMode::kNone},
                                                           {"full", RecomputeMode::kFull},
                                                           {"selective", RecomputeMode::kSelective}}),
                               "What the backward pass computes again instead of keeping it.");
  });
  return table;
}

namespace {

Table MakePhase() {
  Table table;
  Declare<CheckpointPhase> d(table);
  AboveNone(d.Leaf("until", &CheckpointPhase::until, AmountCodec(),
                   "The phase's last step, which is saved too; only the last phase may leave it out."))
      .Default("the end of the run");
  AboveNone(
      d.Leaf("interval", &CheckpointPhase::interval, AmountCodec(), "Saves at absolute multiples of this."))
      .Required();
  return table;
}

Table MakeKeep() {
  Table table;
  Declare<Keep> d(table);
  d.Leaf("last", &Keep::last, IntegerCodec(), "So many of the newest stay.").AtLeast(1).Default("all");
  AboveNone(d.Leaf("every", &Keep::every, AmountCodec(), "Those at multiples of this stay for good."))
      .Default("none");
  return table;
}

}  // namespace

const Table& CheckpointTable() {
  static const Table phase = MakePhase();
  static const Table keep = MakeKeep();
  static const Table table = MakeTable([](Table& t) {
    Declare<Checkpoint> d(t);
    d.Leaf("directory", &Checkpoint::directory, PathCodec(), "Where checkpoints go.")
        .Default("checkpoints in the run directory");
    d.List("every", &Checkpoint::every, phase,
           "Phases of saving, one after the other. The run's last step is always saved.")
        .Default("only the last step");
    d.Section("keep", &Checkpoint::keep, keep, "Which checkpoints are not deleted; the newest never is.");
  });
  return table;
}

const Table& EvaluationTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Evaluation> d(t);
    NotNegative(d.Leaf("every", &Evaluation::every, AmountCodec(),
                       "At absolute multiples of this and after the last step. 0 steps: never."));
    d.Leaf("samples", &Evaluation::samples, IntegerCodec(), "Of the validation split, in one evaluation.")
        .AtLeast(0)
        .AtMost(1'000'000'000)
        .Unit("samples");
  });
  return table;
}

const Table& LimitsTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Limits> d(t);
    d.Leaf("exit_duration", &Limits::exit_duration_seconds, DurationCodec(),
           "After this time the run saves and pauses, to be resumed.")
        .Bound("at least 1s and at most 3660d", [](int64_t s) { return s >= 1 && s <= kMostSeconds; })
        .Default("none");
    d.Leaf("grace", &Limits::grace_seconds, DurationCodec(), "How long a stop waits for the last save.")
        .Bound("at least 1s and at most 3660d", [](int64_t s) { return s >= 1 && s <= kMostSeconds; });
    d.Leaf("hang", &Limits::hang_seconds, DurationCodec(),
           "A rank without a step for this long, and for far longer than its steps take, counts as failed.")
        .Bound("at least 1s and at most 3660d", [](int64_t s) { return s >= 1 && s <= kMostSeconds; });
    d.Leaf("max_failures", &Limits::max_failures, IntegerCodec(),
           "So many failures without progress in between hold the run.")
        .AtLeast(1)
        .AtMost(1000);
  });
  return table;
}

namespace {

constexpr std::pair<const char*, LauncherKind> kLauncherKinds[] = {{"local", LauncherKind::kLocal},
                                                                   {"slurm", LauncherKind::kSlurm}};

Codec<LauncherKind> LauncherKinds() {
  return ChoiceCodec<LauncherKind>({std::begin(kLauncherKinds), std::end(kLauncherKinds)});
}

Table MakeSlurm() {
  Table table;
  Declare<Slurm> d(table);
  d.Leaf("partition", &Slurm::partition, StringCodec(), "Slurm partition.").Default("the cluster's");
  d.Leaf("account", &Slurm::account, StringCodec(), "Slurm account.").Default("the user's");
  d.Leaf("qos", &Slurm::qos, StringCodec(), "Slurm quality of service.").Default("the partition's");
  d.Leaf("time", &Slurm::time_seconds, DurationCodec(), "Limit of one job.")
      .Bound("at least 1m and at most 3660d", [](int64_t s) { return s >= 60 && s <= kMostSeconds; })
      .Default("the partition's");
  d.Leaf("chain", &Slurm::chain, IntegerCodec(), "Jobs submitted, each to begin when the one before ends.")
      .AtLeast(1)
      .AtMost(1000);
  return table;
}

}  // namespace

std::string NameOf(LauncherKind kind) { return LauncherKinds().write(kind, "")->text; }

std::optional<LauncherKind> LauncherNamed(absl::string_view name) {
  for (const auto& [known, kind] : kLauncherKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

const Table& LauncherTable() {
  static const Table slurm = MakeSlurm();
  static const Table table = MakeTable([](Table& t) {
    using L = Launcher;
    Declare<L> d(t);
    d.Leaf("kind", &L::kind, LauncherKinds(),
           "local: nodes whose daemons are registered. slurm: a job of its own.");
    d.Leaf("nodes", &L::nodes, IntegerCodec(), "Machines.").AtLeast(1).AtMost(1 << 20);
    d.Leaf("ranks_per_node", &L::ranks_per_node, IntegerCodec(), "Processes on each machine.")
        .AtLeast(1)
        .AtMost(4096)
        .Default("all ranks divided by nodes");
    d.Leaf("threads_per_rank", &L::threads_per_rank, IntegerCodec(), "Threads of a process.")
        .AtLeast(0)
        .AtMost(4096)
        .Default("0: the node's cores divided by its ranks");
    d.Section("slurm", &L::slurm, slurm, "The job.")
        .OnlyFor(&L::kind, {LauncherKind::kSlurm}, "kind", "slurm");
  });
  return table;
}

namespace {

Codec<ExporterKind> ExporterKinds() {
  return ChoiceCodec<ExporterKind>(
      {{"prometheus", ExporterKind::kPrometheus}, {"jsonl", ExporterKind::kJsonl}});
}

// HOST:PORT, as in 127.0.0.1:9464, [::1]:9464 or node7:0.
bool IsHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  return colon != std::string::npos && colon > 0 && absl::SimpleAtoi(text.substr(colon + 1), &port) &&
         port >= 0 && port <= 65535 && text.find_first_of(" \t\n/") == std::string::npos;
}

}  // namespace

std::string NameOf(ExporterKind kind) { return ExporterKinds().write(kind, "")->text; }

const Table& ExporterTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Exporter> d(t);
    d.Leaf("kind", &Exporter::kind, ExporterKinds(),
           "prometheus: an HTTP endpoint for scrapes. jsonl: metrics.jsonl in the run directory.")
        .Required();
    d.Leaf("listen", &Exporter::listen, StringCodec(), "Address of the endpoint; port 0: any free one.")
        .Bound("HOST:PORT", IsHostPort)
        .OnlyFor(&Exporter::kind, {ExporterKind::kPrometheus}, "kind", "prometheus");
  });
  return table;
}

}  // namespace galley::recipe
