#include "runtime/train/step.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/models/engine.h"
#include "runtime/ops/elementwise.h"
#include "runtime/optim/adamw.h"
#include "runtime/parallel/gradient_reducer.h"

namespace galley::train {
namespace {

// What the kernel could still give, without swap; absent where it does not say.
std::optional<int64_t> AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::string key, rest;
  for (int64_t kib = 0; file >> key >> kib; std::getline(file, rest)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return std::nullopt;
}

models::EngineOptions OptionsOf(const recipe::RecipeSpec& spec) {
  return {.rows = spec.batch.micro * spec.model.context};
}

// All that a step works in.
struct StepTensors {
  models::EngineTensors engine;
  View loss;  // (2) f64: sum and count
};
StepTensors Allocate(const recipe::RecipeSpec& spec, const plan::ModelCard& card, optim::AdamW& optimizer,
                     layers::Memory& memory) {
  StepTensors t;
  t.engine = models::AllocateEngine(spec, card, OptionsOf(spec), memory);
  optimizer.Allocate(memory.kept);
  t.loss = memory.kept.Take(DType::kF64, {2});
  return t;
}

class Training : public Stepper {
 public:
  // memory: measured. `optimizer` gets its moments.
  Training(const recipe::RecipeSpec& spec, const plan::ModelCard& card, const parallel::Groups& groups,
           int threads, int64_t bucket_bytes, optim::AdamW optimizer, const layers::Memory& measured)
      : spec_(spec),
        groups_(&groups),
        rows_(spec.batch.micro * spec.model.context),
        optimizer_(std::move(optimizer)),
        memory_(layers::BindMemory(Device(), measured)),
        tensors_(Allocate(spec, card, optimizer_, memory_)),
        loss_(tensors_.loss),
        engine_(spec_.model, card, OptionsOf(spec), std::move(tensors_.engine),
                MakeStream(Device(), threads)),
        reducer_(groups.data.get(), engine_.weights().gradients(), bucket_bytes) {
    engine_.weights().Initialise(engine_.stream(), static_cast<uint64_t>(spec_.train.seed), threads);
  }

  absl::StatusOr<StepResult> Run(const StepInput& input) override {
    CHECK_GT(input.micro_batches, 0);
    const int64_t tokens = input.micro_batches * rows_ * groups_->mesh.data;
    ops::Zero(stream(), weights().gradients());
    ops::Zero(stream(), loss_);
    for (int64_t m = 0; m < input.micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(input.next, m));
      batch.grad_scale = static_cast<float>(1.0 / static_cast<double>(tokens));
      engine_.Forward(0, batch);
      Backward(batch, m + 1 == input.micro_batches);
    }
    RETURN_IF_ERROR(reducer_.Finish());
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream(), loss_));
    if (!input.flags.empty()) {
      RETURN_IF_ERROR(groups_->world->AllReduceMax(
          stream(), View(input.flags.data(), DType::kI64, {static_cast<int64_t>(input.flags.size())})));
    }
    ASSIGN_OR_RETURN(const double loss, MeanLoss());
    // Gradients were divided by all places of the step, before anyone could know how many have a label. 1
    // when all have.
    const double labelled = static_cast<double>(tokens) / loss_.As<double>()[1];
    // Every rank holds the same sums now, so each comes to the same norm and the same decision by itself.
    StepResult result{.loss = loss, .grad_norm = labelled * optim::Norm(stream(), weights().gradients())};
    result.updated = std::isfinite(result.loss) && std::isfinite(result.grad_norm);
    if (result.updated) {
      const double clip = optim::ClipCoefficient(result.grad_norm, spec_.optimizer.clip_norm);
      optimizer_.Step(stream(), input.lr, clip * labelled, weights().gradients(), weights().master(),
                      weights().rounded());
    }
    return result;
  }

  absl::StatusOr<double> Evaluate(int64_t micro_batches, NextBatch next) override {
    CHECK_GT(micro_batches, 0);
    ops::Zero(stream(), loss_);
    for (int64_t m = 0; m < micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(next, m));
      batch.backward = false;
      engine_.Forward(0, batch);
    }
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream(), loss_));
    return MeanLoss();
  }

  std::vector<checkpoint::Item> StateItems() const override {
    std::vector<checkpoint::Item> items = engine_.weights().Items();
    for (const optim::AdamW::Slice& s : optimizer_.State()) {
      const Shape shape{std::span<const int64_t>(s.shape)};
      items.push_back(checkpoint::Item::Whole(s.name, s.view.Reshape(shape)));
    }
    return items;
  }

  void Restored(int64_t optimizer_step) override {
    optimizer_.set_steps(optimizer_step);
    weights().Refresh(stream());
  }

  int64_t optimizer_step() const override { return optimizer_.steps(); }

 private:
  absl::StatusOr<double> MeanLoss() const {
    const double* loss = loss_.As<double>();
    if (loss[1] == 0) {
      return absl::FailedPreconditionError(
          "no place of the step has a token to predict: masks leave nothing of these samples; check "
          "data.mask and the "
          "documents");
    }
    return loss[0] / loss[1];
  }

  absl::StatusOr<models::Batch> Take(NextBatch next, int64_t m) {
    ASSIGN_OR_RETURN(TokenBatch given, next(m));
    const Shape shape{spec_.batch.micro, spec_.model.context};
    CHECK(given.tokens.shape == shape && given.labels.shape == shape) << given.tokens.shape.ToString();
    for (View v : {given.starts, given.positions}) CHECK(v.data == nullptr || v.shape == shape);
    for (View v : {given.tokens, given.labels}) {
      const int32_t least = v.data == given.labels.data ? -1 : 0;
      for (int32_t id : v.Span<int32_t>()) {
        if (id < least || id >= spec_.model.vocab) {
          return absl::InvalidArgumentError(absl::StrCat("token id ", id, " in micro-batch ", m,
                                                         ": the model's vocabulary has ", spec_.model.vocab,
                                                         "; tokenize the data anew or raise model.vocab"));
        }
      }
    }
    return models::Batch{.tokens = given.tokens,
                         .labels = given.labels,
                         .starts = given.starts,
                         .positions = given.positions,
                         .loss = loss_};
  }

  // Blocks finish their gradients from the end of the table to its beginning, so after each of them in the
  // last micro-batch a longer tail of the flat buffer is final and may go to the other ranks.
  void Backward(const models::Batch& batch, bool final) {
    if (!final) return engine_.Backward(0, batch);
    reducer_.Begin();
    engine_.Backward(0, batch, [this](int64_t offset) { reducer_.ReadyDownTo(offset); });
  }

  Stream& stream() { return engine_.stream(); }
  models::Weights& weights() { return engine_.weights(); }

  const recipe::RecipeSpec spec_;
  const parallel::Groups* const groups_;
  const int64_t rows_;  // tokens of a micro-batch
  optim::AdamW optimizer_;
  layers::Memory memory_;
  StepTensors tensors_;
  View loss_;
  models::Engine engine_;
  parallel::GradientReducer reducer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Stepper>> Stepper::Create(const recipe::RecipeSpec& spec,
                                                         const plan::ModelCard& card,
                                                         const parallel::Groups& groups, int threads,
                                                         int64_t bucket_bytes) {
  optim::AdamW optimizer(spec.optimizer, card.params);
  layers::Memory memory;
  Allocate(spec, card, optimizer, memory);
  const int64_t bytes = memory.kept.peak() + memory.workspace.peak();
  if (auto available = AvailableMemory(); available && bytes > *available) {
    return absl::ResourceExhaustedError(
        absl::StrCat("training needs ", bytes >> 20, " MiB and the machine has ", *available >> 20,
                     " MiB left; lower batch.micro or model.context, or train a smaller model"));
  }
  return std::make_unique<Training>(spec, card, groups, threads, bucket_bytes, std::move(optimizer), memory);
}

int64_t Stepper::MemoryBytes(const recipe::RecipeSpec& spec, const plan::ModelCard& card) {
  optim::AdamW optimizer(spec.optimizer, card.params);
  layers::Memory memory;
  Allocate(spec, card, optimizer, memory);
  return memory.kept.peak() + memory.workspace.peak();
}

}  // namespace galley::train
