#include "runtime/recipe/check.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/recipe/quantity.h"
#include "runtime/recipe/tables.h"

namespace galley::recipe {
namespace {

int64_t World(const RecipeSpec& s) {
  return s.parallelism.data * s.parallelism.tensor * s.parallelism.pipeline;
}

void CheckModel(Checker& c) {
  const Model& m = c.spec.model;
  const Parallelism& p = c.spec.parallelism;
  if (c.Sound({"model.hidden", "model.heads"})) {
    c.WantMultiple("model.hidden", m.hidden, "model.heads", m.heads);
  }
  if (c.Sound({"model.family", "model.activation"})) {
    const std::vector<Activation>& taken = m.family->activations;
    if (std::find(taken.begin(), taken.end(), m.activation) == taken.end()) {
      c.Error("model.activation", absl::StrCat(m.family->name, " takes ", ActivationNames(taken), " only"));
    }
  }
  if (c.Sound({"model.vocab", "data.tokenizer"}) &&
      c.spec.data.tokenizer.kind == tokenizer::TokenizerKind::kBytes && m.vocab < 256) {
    c.Error("model.vocab", absl::StrCat(m.vocab, " is less than the 256 tokens of the bytes tokenizer"));
  }
  if (c.Sound({"model.layers", "parallelism.pipeline"})) {
    c.WantMultiple("model.layers", m.layers, "parallelism.pipeline", p.pipeline);
  }
  if (c.Sound({"model.ffn", "parallelism.tensor"})) {
    c.WantMultiple("model.ffn", m.ffn, "parallelism.tensor", p.tensor);
  }
}

// The ramp must arrive at the full batch. Where it does not, nothing can be computed along it.
bool CheckRampShape(Checker& c) {
  const int64_t global = c.spec.batch.global;
  const Rampup& r = *c.spec.batch.rampup;
  if (r.start > global) {
    c.Error("batch.rampup.start", absl::StrCat(r.start, " is more than batch.global = ", global));
    return false;
  }
  if ((global - r.start) % r.increment != 0) {
    c.Error("batch.rampup.increment",
            absl::StrCat("batch.global - start = ", global - r.start, " is not divisible by ", r.increment));
    return false;
  }
  // The plan keeps every stage in memory and prints it.
  if ((global - r.start) / r.increment > 100'000) {
    c.Error("batch.rampup.increment", "makes more than 100,000 stages");
    return false;
  }
  return true;
}

void CheckBatch(Checker& c) {
  const Batch& b = c.spec.batch;
  const bool ramp = b.rampup && c.Sound({"batch.global", "batch.rampup"});
  const bool arrives = ramp && CheckRampShape(c);
  if (ramp && !arrives) c.MarkUnsound("batch.rampup");
  if (!c.Sound({"batch.micro", "batch.global", "parallelism.data"})) return;
  const int64_t share = b.micro * c.spec.parallelism.data;
  const std::string what = "batch.micro x parallelism.data";
  c.WantMultiple("batch.global", b.global, what, share);
  if (!arrives) return;
  c.WantMultiple("batch.rampup.start", b.rampup->start, what, share);
  if (b.rampup->start != b.global) c.WantMultiple("batch.rampup.increment", b.rampup->increment, what, share);
}

void CheckSchedule(Checker& c) {
  const LearningRate& lr = c.spec.schedule.lr;
  for (const auto& [path, value] :
       {std::pair<const char*, double>{"schedule.lr.min", lr.min}, {"schedule.lr.init", lr.init}}) {
    if (c.Sound({path, "schedule.lr.peak"}) && value > lr.peak) {
      c.Error(path,
              absl::StrCat(PrintNumber(value), " is more than schedule.lr.peak = ", PrintNumber(lr.peak)));
    }
  }
}

void CheckLauncher(Checker& c) {
  const Launcher& l = c.spec.launcher;
  if (!c.Sound({"parallelism", "launcher.nodes", "launcher.ranks_per_node"})) return;
  const int64_t world = World(c.spec);
  const std::string what =
      absl::StrCat("parallelism asks for ", c.spec.parallelism.data, " x ", c.spec.parallelism.tensor, " x ",
                   c.spec.parallelism.pipeline, " = ", world, " ranks");
  if (l.ranks_per_node == 0) {
    if (world % l.nodes != 0) {
      c.Error("launcher.nodes", absl::StrCat(what, ", which ", l.nodes, " nodes cannot share evenly"));
    }
  } else if (l.nodes * l.ranks_per_node != world) {
    c.Error(
        c.FindLocation("launcher.ranks_per_node") != nullptr ? "launcher.ranks_per_node" : "launcher.nodes",
        absl::StrCat(l.nodes, " nodes x ", l.ranks_per_node, " = ", l.nodes * l.ranks_per_node,
                     " ranks, but ", what));
  }
}

void CheckData(Checker& c) {
  const Data& data = c.spec.data;
  if (c.Sound({"data.mask", "data.tokenizer"}) && data.mask.borders == Borders::kEod &&
      data.tokenizer.kind == tokenizer::TokenizerKind::kBytes) {
    c.Error("data.mask.borders", "the tokenizer bytes has no end-of-document token; use index");
  }
  if (c.Sound({"data.mask", "data.kind"}) && data.kind == DataKind::kDummy &&
      (data.mask.attention == Scope::kDocument || data.mask.positions == Scope::kDocument ||
       !data.mask.eod_loss)) {
    c.Error("data.mask", "dummy data have no documents");
  }
  if (c.Sound({"data.order", "data.kind"}) && data.kind == DataKind::kDummy &&
      data.order == Order::kMegatron) {
    c.Error("data.order", "dummy data have no order of Megatron's");
  }
  if (c.Sound({"data.pad", "model.vocab"}) && data.pad >= c.spec.model.vocab) {
    c.Error("data.pad", absl::StrCat(data.pad, " is outside the vocabulary of ", c.spec.model.vocab));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < data.valid.size(); ++i) {
    const std::string path = ItemPath("data.valid", i);
    if (!c.Sound({path})) continue;
    if (!names.insert(data.valid[i].name).second) {
      c.Error(path + ".name", absl::StrCat("a set before has the name '", data.valid[i].name, "'"));
    }
  }
  if (c.Sound({"data.valid", "evaluation"}) && !data.valid.empty() && c.spec.evaluation.every.value == 0) {
    c.Warn("data.valid", "nothing reads these sets: evaluation.every is 0");
  }
}

void CheckRest(Checker& c) {
  const RecipeSpec& s = c.spec;
  for (size_t i = 0; i + 1 < s.checkpoint.every.size(); ++i) {
    const std::string path = ItemPath("checkpoint.every", i);
    if (c.Sound({path}) && !s.checkpoint.every[i].until) {
      c.Error(path, "a phase before the last needs `until`");
    }
  }
  if (c.Sound({"evaluation"}) && s.evaluation.every.value > 0) {
    if (s.evaluation.samples == 0) {
      c.Error("evaluation.samples", "must be above 0 where evaluation.every is");
    } else if (c.Sound({"batch.micro", "parallelism.data"})) {
      c.WantMultiple("evaluation.samples", s.evaluation.samples, "batch.micro x parallelism.data",
                     s.batch.micro * s.parallelism.data);
    }
    if (c.Sound({"data.split", "data.valid"}) && ValidationSets(s.data) == 0) {
      c.Error("data.split",
              "evaluation needs a validation part: the second share is 0, and data.valid is empty");
    }
  }
  CheckData(c);
  std::set<ExporterKind> kinds;
  for (size_t i = 0; i < s.exporters.size(); ++i) {
    const std::string path = ItemPath("exporters", i);
    if (c.Sound({path}) && !kinds.insert(s.exporters[i].kind).second) {
      c.Error(path + ".kind", "a run has one exporter of a kind");
    }
  }
}

}  // namespace

void CheckAcross(Checker& checker) {
  CheckModel(checker);
  CheckBatch(checker);
  CheckSchedule(checker);
  CheckLauncher(checker);
  CheckRest(checker);
}

void WarnOfUnusualValues(Checker& c) {
  const Model& m = c.spec.model;
  if (c.Sound({"model.hidden", "model.init"})) {
    const double spread = m.init_std * std::sqrt(static_cast<double>(m.hidden));
    if (spread > 2 || spread < 0.05) {
      c.Warn(
          "model.init.std",
          absl::StrCat("unusual: std x sqrt(hidden) is ", PrintNumber(std::round(spread * 100) / 100),
                       "; models train with 0.05 to 2. Common: 0.02, or sqrt(2 / (5 x hidden)) = ",
                       PrintNumber(std::round(1e5 * std::sqrt(0.4 / static_cast<double>(m.hidden))) / 1e5)));
    }
  }
  if (c.Sound({"model.hidden", "model.ffn"}) && (m.ffn < m.hidden || m.ffn > 8 * m.hidden)) {
    c.Warn("model.ffn",
           absl::StrCat("unusual: ", m.ffn, " is not between 1 and 8 times model.hidden = ", m.hidden));
  }
}

namespace {

void WarnOfLauncher(Checker& c) {
  switch (c.spec.launcher.kind) {
    case LauncherKind::kSlurm:
      c.NotBuilt("launcher.kind", "the slurm launcher");
      break;
    case LauncherKind::kLocal:
      if (c.Sound({"launcher.nodes"}) && c.spec.launcher.nodes > 1) {
        c.NotBuilt("launcher.nodes", "a run over more than one node");
      }
      break;
  }
}

}  // namespace

void WarnOfNotBuilt(Checker& c) {
  const RecipeSpec& s = c.spec;
  if (c.Sound({"precision"})) {
    if (s.precision.compute == Compute::kFP16) c.NotBuilt("precision.compute", "fp16");
    if (s.precision.compute == Compute::kFP8) c.NotBuilt("precision.compute", "fp8");
    if (s.precision.loss_scale && c.FindLocation("precision.loss_scale") != nullptr) {
      c.NotBuilt("precision.loss_scale", "loss scaling");
    }
  }
  if (c.Sound({"parallelism.tensor"}) && s.parallelism.tensor > 1) {
    c.NotBuilt("parallelism.tensor", "tensor parallelism above 1");
  }
  if (c.Sound({"parallelism.pipeline"}) && s.parallelism.pipeline > 1) {
    c.NotBuilt("parallelism.pipeline", "pipeline parallelism above 1");
  }
  if (c.Sound({"recompute"}) && s.recompute.mode != RecomputeMode::kNone) {
    c.NotBuilt("recompute.mode", "recompute other than none");
  }
  if (c.Sound({"launcher.kind"})) WarnOfLauncher(c);
}

void FillAcross(RecipeSpec& spec) {
  if (spec.launcher.ranks_per_node == 0) spec.launcher.ranks_per_node = World(spec) / spec.launcher.nodes;
}

}  // namespace galley::recipe
