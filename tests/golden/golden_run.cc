#include "tests/golden/golden_run.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/base/check.h"
#include "runtime/models/describe.h"
#include "runtime/models/families.h"
#include "runtime/plan/batch.h"
#include "runtime/plan/learning_rate.h"
#include "runtime/recipe/load.h"
#include "tests/support/paths.h"

namespace galley::golden {
namespace {

std::string Path(const std::string& file) { return SourceDir() + "/tests/golden/" + file; }

// One rank's micro-batches of the documented data.
class Samples {
 public:
  Samples(int64_t micro, int64_t context)
      : micro_(micro),
        context_(context),
        tokens_(static_cast<size_t>(micro * context)),
        labels_(tokens_.size()) {}

  train::TokenBatch From(int64_t first) {
    for (int64_t b = 0; b < micro_; ++b) {
      const int64_t s = first + b;
      auto x = [&](int64_t t) { return static_cast<int32_t>(7 * ((37 * s + 11 + t * (1 + s % 5)) % 40)); };
      for (int64_t t = 0; t < context_; ++t) {
        tokens_[static_cast<size_t>(b * context_ + t)] = x(t);
        labels_[static_cast<size_t>(b * context_ + t)] = x(t + 1);
      }
    }
    const Shape shape{micro_, context_};
    return {View(tokens_.data(), DType::kI32, shape), View(labels_.data(), DType::kI32, shape)};
  }

 private:
  int64_t micro_, context_;
  std::vector<int32_t> tokens_, labels_;
};

}  // namespace

recipe::RecipeSpec LoadRecipe(const std::string& name) {
  recipe::LoadResult loaded = recipe::LoadFile(Path(name + ".yaml"), {models::RecipeFamilies()});
  CHECK(loaded.spec) << recipe::FormatFaults(loaded.faults);
  return *loaded.spec;
}

std::vector<Step> LoadGolden(const std::string& name) {
  std::vector<Step> out;
  const nlohmann::json file = nlohmann::json::parse(std::ifstream(Path(name + ".json")));
  for (const auto& s : file["steps"]) {
    out.push_back({s["global_batch"], s["lr"], s["loss"], s["grad_norm"]});
  }
  return out;
}

std::vector<Step> Train(const recipe::RecipeSpec& spec, const Options& options) {
  plan::ModelCard card = models::Describe(spec);
  if (options.edit_card) options.edit_card(card);
  const plan::BatchRamp ramp(spec.batch, spec.model.context);
  const plan::LearningRate rate(spec.schedule.lr, spec.train.until, ramp);

  std::unique_ptr<comm::Group> self = comm::MakeSelfGroup();
  comm::Group* group = options.group != nullptr ? options.group : self.get();
  auto groups = parallel::Groups::Split(group, {.data = group->size()});
  CHECK(groups.ok()) << groups.status();
  auto stepper =
      train::Stepper::Create(spec, card, *groups, options.threads, options.bucket_bytes, options.device);
  CHECK(stepper.ok()) << stepper.status();
  Samples samples(spec.batch.micro, spec.model.context);

  std::vector<Step> out;
  out.reserve(kSteps);
  int64_t consumed = 0;
  for (int i = 0; i < kSteps; ++i) {
    const int64_t ranks = groups->mesh.data;
    auto next = [&](int64_t m) -> absl::StatusOr<train::TokenBatch> {
      return samples.From(consumed + (m * ranks + groups->coordinate.data) * spec.batch.micro);
    };
    Step step{.global_batch = ramp.GlobalBatchAt(consumed), .lr = rate.LrAt(consumed)};
    auto result =
        (*stepper)->Run({.micro_batches = ramp.MicroBatchesAt(consumed, ranks), .lr = step.lr, .next = next});
    CHECK(result.ok()) << result.status();
    CHECK(result->updated);
    step.loss = result->loss;
    step.grad_norm = result->grad_norm;
    out.push_back(step);
    consumed += step.global_batch;
    if (options.after_step) options.after_step(i + 1);
  }
  if (options.memory_bytes != nullptr) *options.memory_bytes = (*stepper)->memory_bytes();
  return out;
}

double Distance(const std::vector<Step>& a, const std::vector<Step>& b) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  auto relative = [](double x, double y) {
    return std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) / std::max(std::abs(x), std::abs(y)) : kFar;
  };
  if (a.size() != b.size()) return kFar;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].global_batch != b[i].global_batch || relative(a[i].lr, b[i].lr) > 1e-12) return kFar;
    worst = std::max({worst, relative(a[i].loss, b[i].loss), relative(a[i].grad_norm, b[i].grad_norm)});
  }
  return worst;
}

}  // namespace galley::golden
