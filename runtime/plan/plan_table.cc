#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/plan/report.h"

namespace galley::plan {
namespace {

// 12853386240 -> "12,853,386,240".
std::string Grouped(int64_t value) {
  const std::string digits = absl::StrCat(value);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string Scaled(double value, const std::vector<const char*>& units, double base) {
  size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  return absl::StrFormat("%.4g %s", value, units[unit]);
}

std::string Bytes(double value) { return Scaled(value, {"B", "KiB", "MiB", "GiB", "TiB", "PiB"}, 1024); }
std::string Flop(double value) {
  return Scaled(value, {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP", "YFLOP"},
                1000);
}

// Columns as wide as their widest cell, numbers to the right.
// The first column, and with `text_last` the last, are texts.
class Columns {
 public:
  explicit Columns(bool text_last = false) : text_last_(text_last) {}
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Print() const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) {
        if (i == widths.size()) widths.push_back(0);
        widths[i] = std::max(widths[i], row[i].size());
      }
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line = " ";
      for (size_t i = 0; i < row.size(); ++i) {
        const bool left = i == 0 || (text_last_ && i + 1 == row.size());
        const std::string gap(widths[i] - row[i].size(), ' ');
        absl::StrAppend(&line, " ", left ? row[i] + gap : gap + row[i], " ");
      }
      absl::StripTrailingAsciiWhitespace(&line);
      absl::StrAppend(&out, line, "\n");
    }
    return out;
  }

 private:
  const bool text_last_;
  std::vector<std::vector<std::string>> rows_;
};

std::string ModelPart(const Plan& plan) {
  const ModelCard& card = plan.card;
  Columns groups;
  groups.Row({"group", "tensors", "parameters", "weight decay"});
  for (const ParamGroup& g : GroupsOf(card)) {
    groups.Row({g.name, Grouped(g.tensors), Grouped(g.parameters), g.decay ? "yes" : "no"});
  }
  const Flops& f = card.flops_per_token;
  Columns flops;
  flops.Row({"attention projections", Flop(f.attention_projections)});
  flops.Row({"attention scores", Flop(f.attention_scores)});
  flops.Row({"mlp", Flop(f.mlp)});
  flops.Row({"head", Flop(f.head)});
  flops.Row({"total", Flop(f.total())});
  return absl::StrCat("Model: ", card.family, ", ", ComputeName(plan.compute), ", ",
                      Grouped(card.unpadded_parameters()), " parameters (", Grouped(card.parameters()),
                      " with the vocabulary padded from ", Grouped(card.vocab), " to ",
                      Grouped(card.padded_vocab), ")\n", groups.Print(), "FLOPs per token, ", kFlopsFormula,
                      "\n", flops.Print());
}

std::string MachinePart(const Plan& plan) {
  const Inventory& v = plan.inventory;
  const std::optional<double> peak = v.PeakFor(plan.compute);
  const std::string& source = v.devices.front().peak_source;
  const Memory& m = plan.memory;
  Columns bytes;
  bytes.Row({"weights for compute", Bytes(static_cast<double>(m.weights))});
  bytes.Row({"master weights", Bytes(static_cast<double>(m.master))});
  bytes.Row({"gradients", Bytes(static_cast<double>(m.gradients))});
  bytes.Row({"optimizer state", Bytes(static_cast<double>(m.optimizer))});
  bytes.Row({"activations", Bytes(static_cast<double>(m.activations))});
  bytes.Row({"checkpoint snapshot", Bytes(static_cast<double>(m.snapshot))});
  bytes.Row({"total", Bytes(static_cast<double>(m.total()))});
  return absl::StrCat(
      "Ranks: ", plan.mesh.world(), " = data ", plan.mesh.data, " x tensor ", plan.mesh.tensor,
      " x pipeline ", plan.mesh.pipeline, ", on ", v.nodes.size(), v.nodes.size() == 1 ? " node" : " nodes",
      v.threads_per_rank > 0 ? absl::StrCat(", ", v.threads_per_rank,
                                            v.threads_per_rank == 1 ? " thread" : " threads", " a rank")
                             : "",
      "; peak of a rank: ", peak ? absl::StrCat(Flop(*peak), "/s (", source, ")") : source, "\n",
      "Bytes of the fullest rank\n", bytes.Print());
}

std::string BatchPart(const Plan& plan) {
  Columns stages(true);
  stages.Row({"batch", "from step", "samples before", "tokens before", "micro-batches", "legal world sizes"});
  for (const BatchStage& stage : plan.batch.stages()) {
    if (stage.first_step >= plan.total_steps) break;
    stages.Row({absl::StrCat(stage.global_batch), Grouped(stage.first_step), Grouped(stage.first_samples),
                Grouped(stage.first_samples * plan.batch.context()),
                absl::StrCat(plan.batch.MicroBatchesAt(stage.first_samples, plan.mesh.data)),
                absl::StrJoin(LegalWorlds(plan, stage.global_batch), " ")});
  }
  return absl::StrCat("Batch: steps count from 0, as Megatron's iterations do\n", stages.Print(),
                      "World sizes legal for the whole run: ", absl::StrJoin(LegalWorldsOfRun(plan), " "),
                      "\n");
}

std::string SchedulePart(const Plan& plan) {
  Columns steps;
  steps.Row({"learning rate", "step", "samples before", "tokens before", "lr"});
  for (const NamedStep& s : NamedSteps(plan)) {
    steps.Row(
        {s.name, Grouped(s.step), Grouped(s.samples), Grouped(s.tokens), absl::StrFormat("%.6g", s.lr)});
  }
  return absl::StrCat("Learning rate: a step uses the rate at the samples before it\n", steps.Print());
}

std::string SavePart(const Plan& plan) {
  const auto each = static_cast<double>(plan.checkpoint_bytes);
  const int64_t most = plan.checkpoints.MostOnDisk();
  Columns saves;
  const std::vector<int64_t> all = plan.checkpoints.SaveSteps();
  saves.Row({"checkpoints", "from step", "to step"});
  for (const CheckpointSchedule::Phase& phase : plan.checkpoints.phases()) {
    const auto count = std::upper_bound(all.begin(), all.end(), phase.last_step) -
                       std::lower_bound(all.begin(), all.end(), phase.first_step);
    saves.Row({Grouped(count), Grouped(phase.first_step), Grouped(phase.last_step)});
  }
  std::string out =
      absl::StrCat("Checkpoints: ", Grouped(static_cast<int64_t>(all.size())), " of ", Bytes(each),
                   ", at most ", Grouped(most), " on disk = ", Bytes(each * static_cast<double>(most)),
                   "; steps here count updates done\n");
  if (!plan.checkpoints.phases().empty()) out += saves.Print();
  if (plan.evaluation.Count() == 0) return out + "Evaluation: none\n";
  const double share = plan.evaluation_flops / (plan.evaluation_flops + plan.training_flops);
  return absl::StrCat(
      out, "Evaluation: ", Grouped(plan.evaluation.Count()), " of ", Grouped(plan.evaluation.samples()),
      " samples", plan.validation_sets > 1 ? absl::StrCat(" of each of ", plan.validation_sets, " sets") : "",
      ", ", Flop(plan.evaluation_flops), ", ", absl::StrFormat("%.3g", 100 * share), " % of the work\n");
}

}  // namespace

std::string ToTable(const Plan& plan) {
  return absl::StrCat(
      "Run ", plan.name, ": ", Grouped(plan.total_steps), " steps, ", Grouped(plan.total_samples),
      " samples, ", Grouped(plan.total_tokens), " tokens, ", Flop(plan.training_flops),
      plan.jobs > 1 ? absl::StrCat(", in up to ", plan.jobs, " jobs") : "", "\n\n", ModelPart(plan), "\n",
      MachinePart(plan), "\n", BatchPart(plan), "\n", SchedulePart(plan), "\n", SavePart(plan), "\nRecipe ",
      plan.recipe_hash, ", plan ", plan.hash, "\n");
}

}  // namespace galley::plan
