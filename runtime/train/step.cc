#include "runtime/train/step.h"

#include <array>
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
#include "runtime/prepare/training_memory.h"

namespace galley::train {
namespace {

// What the kernel could still give, without swap; absent where it does not say. It promises more than it has:
// a run that is too large would be killed when it touches its memory, and could not say why.
std::optional<int64_t> AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::string key, rest;
  for (int64_t kib = 0; file >> key >> kib; std::getline(file, rest)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return std::nullopt;
}

class Training : public Stepper {
 public:
  Training(const recipe::RecipeSpec& spec, const plan::ModelCard& card, const parallel::Groups& groups,
           const models::EngineOptions& options, int64_t bucket_bytes, const Device& device,
           const layers::Memory& measured)
      : spec_(spec),
        groups_(&groups),
        rows_(options.rows),
        memory_(layers::BindMemory(device, measured)),
        tensors_(prepare::AllocateTraining(spec, card, options, memory_)),
        engine_(spec_.model, card, options, std::move(tensors_.engine),
                MakeStream(device, options.threads, measured.scratch)),
        optimizer_(spec_.optimizer, card.params, tensors_.moments),
        host_stream_(MakeStream(Device(), 1)),
        reducer_(groups.data.get(), engine_.weights().gradients(), bucket_bytes, device) {
    engine_.weights().Initialise(engine_.stream(), static_cast<uint64_t>(spec_.train.seed), options.threads);
  }

  absl::StatusOr<StepResult> Run(const StepInput& input) override {
    CHECK_GT(input.micro_batches, 0);
    const int64_t tokens = input.micro_batches * rows_ * groups_->mesh.data;
    // sums: loss, labels, squares of the gradient.
    ops::Zero(stream(), weights().gradients());
    ops::Zero(stream(), tensors_.sums);
    for (int64_t m = 0; m < input.micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(input.next, m));
      batch.grad_scale = static_cast<float>(1.0 / static_cast<double>(tokens));
      engine_.Forward(0, batch);
      Backward(batch, m + 1 == input.micro_batches);
    }
    RETURN_IF_ERROR(reducer_.Finish());  // the data group was the reducer's until here
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream(), tensors_.sums.Rows(0, 2)));
    // Over the world, not the data group: a rank that stopped alone would leave every
    // other one in its next collective.
    if (!input.flags.empty()) {
      RETURN_IF_ERROR(groups_->world->AllReduceMax(
          host_stream_, View(input.flags.data(), DType::kI64, {static_cast<int64_t>(input.flags.size())})));
    }
    ops::AddSumOfSquares(stream(), weights().gradients(), tensors_.sums.Rows(2, 1));
    ASSIGN_OR_RETURN(const Sums sums, ReadSums());
    // Gradients were divided by all positions of the step, since how many of them have a label is known only
    // now, after the sum over ranks. The factor is 1 when all have.
    const double labelled = static_cast<double>(tokens) / sums.labels;
    // Every rank holds the same sums now, so each comes to the same norm and the same decision by itself.
    StepResult result{.loss = sums.loss / sums.labels, .grad_norm = labelled * std::sqrt(sums.squares)};
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
    ops::Zero(stream(), tensors_.sums);
    for (int64_t m = 0; m < micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(next, m));
      batch.backward = false;
      engine_.Forward(0, batch);
    }
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream(), tensors_.sums.Rows(0, 2)));
    ASSIGN_OR_RETURN(const Sums sums, ReadSums());
    return sums.loss / sums.labels;
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

  int64_t memory_bytes() const override {
    return memory_.kept.peak() + memory_.workspace.peak() + ScratchBytesOf(engine_.stream());
  }

  int64_t optimizer_step() const override { return optimizer_.steps(); }
  Stream& stream() override { return engine_.stream(); }

 private:
  struct Sums {
    double loss, labels, squares;
  };
  // The one wait of a step for its device.
  absl::StatusOr<Sums> ReadSums() {
    std::array<double, 3> host{};
    Copy(stream(), tensors_.sums, View(host.data(), DType::kF64, {3}));
    arrived_.Record(stream());
    arrived_.Wait();
    if (host[1] == 0) {
      return absl::FailedPreconditionError(
          "no position of the step has a label: masks leave nothing of these samples; check data.mask and "
          "the documents");
    }
    return Sums{.loss = host[0], .labels = host[1], .squares = host[2]};
  }

  // Onto the device; View{} stays absent.
  View Upload(const View& host, const View& device) {
    if (host.data == nullptr) return host;
    Copy(stream(), host, device);
    return device;
  }

  // What is given is checked here, where the host has it.
  absl::StatusOr<models::Batch> Take(NextBatch next, int64_t m) {
    ASSIGN_OR_RETURN(TokenBatch given, next(m));
    const Shape shape{spec_.batch.micro, spec_.model.context};
    CHECK(given.tokens.shape == shape && given.labels.shape == shape) << given.tokens.shape.ToString();
    for (View v : {given.starts, given.positions}) {
      if (v.data == nullptr) continue;
      CHECK(v.shape == shape);
      for (int32_t at : v.Span<int32_t>()) CHECK(at >= 0 && at < spec_.model.context) << at;
    }
    for (View v : {given.tokens, given.labels}) {
      const int32_t least = v.data == given.labels.data ? -1 : 0;
      for (int32_t id : v.Span<int32_t>()) {
        if (id < least || id >= spec_.model.vocab) {
          return absl::InvalidArgumentError(absl::StrCat("token id ", id, " in micro-batch ", m,
                                                         ": the model's vocabulary has ", spec_.model.vocab,
                                                         "; tokenize the data again or raise model.vocab"));
        }
      }
    }
    const prepare::TrainingTensors& at = tensors_;
    return models::Batch{.tokens = Upload(given.tokens, at.tokens),
                         .labels = Upload(given.labels, at.labels),
                         .starts = Upload(given.starts, at.starts),
                         .positions = Upload(given.positions, at.positions),
                         .loss = at.sums.Rows(0, 2)};
  }

  // Blocks finish their gradients from the end of the table to its beginning, so after each of them in the
  // last micro-batch a longer tail of the flat buffer is final and may go to the other ranks.
  void Backward(const models::Batch& batch, bool final) {
    if (!final) return engine_.Backward(0, batch);
    reducer_.Begin(stream());
    engine_.Backward(0, batch, [this](int64_t offset) { reducer_.ReadyDownTo(offset); });
  }

  models::Weights& weights() { return engine_.weights(); }

  const recipe::RecipeSpec spec_;
  const parallel::Groups* const groups_;
  const int64_t rows_;  // tokens of a micro-batch
  layers::Memory memory_;
  prepare::TrainingTensors tensors_;
  models::Engine engine_;
  optim::AdamW optimizer_;
  Stream host_stream_;                 // of control values, which never leave the host
  Event arrived_;                      // what ReadSums copies
  parallel::GradientReducer reducer_;  // last: its thread sums the gradients above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Stepper>> Stepper::Create(const recipe::RecipeSpec& spec,
                                                         const plan::ModelCard& card,
                                                         const parallel::Groups& groups, int threads,
                                                         int64_t bucket_bytes, const Device& device) {
  const models::EngineOptions options = prepare::TrainingOptions(spec, threads);
  layers::Memory memory;
  prepare::AllocateTraining(spec, card, options, memory);
  const int64_t bytes = memory.bytes();
  if (auto available = AvailableMemory(); available && bytes > *available) {
    return absl::ResourceExhaustedError(
        absl::StrCat("training needs ", bytes >> 20, " MiB and the machine has ", *available >> 20,
                     " MiB left; lower batch.micro or model.context, or train a smaller model"));
  }
  return std::make_unique<Training>(spec, card, groups, options, bucket_bytes, device, memory);
}

}  // namespace galley::train
