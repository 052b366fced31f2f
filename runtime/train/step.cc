#include "runtime/train/step.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"
#include "runtime/models/model.h"
#include "runtime/models/params.h"
#include "runtime/ops/elementwise.h"
#include "runtime/optim/adamw.h"
#include "runtime/parallel/gradient_reducer.h"
#include "runtime/tensor/arena.h"
#include "runtime/tensor/stream.h"

namespace galley::train {
namespace {

DType ElementOf(recipe::Compute compute) {
  CHECK(compute == recipe::Compute::kF32 || compute == recipe::Compute::kBF16)
      << "refused before a rank starts";
  return compute == recipe::Compute::kF32 ? DType::kF32 : DType::kBF16;
}

// What the kernel could still give, without swap; absent where it does not say.
std::optional<int64_t> AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  std::string key, rest;
  for (int64_t kib = 0; file >> key >> kib; std::getline(file, rest)) {
    if (key == "MemAvailable:") return kib * 1024;
  }
  return std::nullopt;
}

class Engine : public Stepper {
 public:
  Engine(const recipe::RecipeSpec& spec, const plan::ModelCard& card, const parallel::Groups* groups,
         int threads)
      : spec_(spec),
        card_(card),
        groups_(groups),
        threads_(threads),
        compute_(ElementOf(spec.precision.compute)),
        rows_(spec.batch.micro * spec.model.context),
        stream_(CpuStream(threads)),
        table_(card_, compute_),
        model_(models::MakeModel(spec_.model, table_)),
        optimizer_(spec_.optimizer, card_.params) {}

  // Takes all memory: once to measure, once to bind.
  void Lay(Arena& kept, Arena& scratch) {
    const Shape flat{table_.elements()}, residual{rows_, spec_.model.hidden};
    for (View* v : {&master_, &grads_}) *v = kept.Take(DType::kF32, flat);
    weights_ = compute_ == DType::kF32 ? master_ : kept.Take(compute_, flat);
    optimizer_.Lay(kept);
    loss_ = kept.Take(DType::kF64, {2});
    between_.clear();
    for (size_t i = 0; i + 1 < model_.blocks.size(); ++i) between_.push_back(kept.Take(compute_, residual));
    for (View& d : dbetween_) d = kept.Take(compute_, residual);
    for (auto& block : model_.blocks) block->Lay({.rows = rows_, .compute = compute_}, kept, scratch);
  }

  void Start(Arena kept, Arena scratch, int64_t bucket_bytes) {
    kept_ = std::move(kept);
    scratch_ = std::move(scratch);
    Lay(kept_, scratch_);
    table_.Bind(weights_, master_, grads_);
    models::InitWeights(table_, static_cast<uint64_t>(spec_.train.seed), threads_, master_);
    reducer_.emplace(groups_->data.get(), grads_, bucket_bytes);
    Restored(0);
  }

  absl::StatusOr<StepResult> Run(const StepInput& input) override {
    CHECK_GT(input.micro_batches, 0);
    const int64_t tokens = input.micro_batches * rows_ * groups_->mesh.data;
    ops::Zero(stream_, grads_);
    ops::Zero(stream_, loss_);
    for (int64_t m = 0; m < input.micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(input.next, m));
      batch.grad_scale = static_cast<float>(1.0 / static_cast<double>(tokens));
      Forward(batch);
      Backward(batch, m + 1 == input.micro_batches);
    }
    RETURN_IF_ERROR(reducer_->Finish());
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream_, loss_));
    if (!input.flags.empty()) {
      RETURN_IF_ERROR(groups_->world->AllReduceMax(
          stream_, View(input.flags.data(), DType::kI64, {static_cast<int64_t>(input.flags.size())})));
    }
    ASSIGN_OR_RETURN(const double loss, MeanLoss());
    // Gradients were divided by all places of the step, before anyone could know how many have a label. 1
    // when all have.
    const double labelled = static_cast<double>(tokens) / loss_.As<double>()[1];
    // Every rank holds the same sums now, so each comes to the same norm and the same decision by itself.
    StepResult result{.loss = loss, .grad_norm = labelled * optim::Norm(stream_, grads_)};
    result.updated = std::isfinite(result.loss) && std::isfinite(result.grad_norm);
    if (result.updated) {
      const double clip = optim::ClipCoefficient(result.grad_norm, spec_.optimizer.clip_norm);
      optimizer_.Step(stream_, input.lr, clip * labelled, grads_, master_,
                      compute_ == DType::kF32 ? View{} : weights_);
    }
    return result;
  }

  absl::StatusOr<double> Evaluate(int64_t micro_batches, NextBatch next) override {
    CHECK_GT(micro_batches, 0);
    ops::Zero(stream_, loss_);
    for (int64_t m = 0; m < micro_batches; ++m) {
      ASSIGN_OR_RETURN(models::Batch batch, Take(next, m));
      batch.backward = false;
      Forward(batch);
    }
    RETURN_IF_ERROR(groups_->data->AllReduceSum(stream_, loss_));
    return MeanLoss();
  }

  std::vector<checkpoint::Item> StateItems() const override {
    std::vector<checkpoint::Item> items;
    auto add = [&](const std::string& name, const std::vector<int64_t>& shape, View view) {
      items.push_back(checkpoint::Item::Whole(name, view.Reshape(Shape(std::span<const int64_t>(shape)))));
    };
    for (int i = 0; i < table_.size(); ++i) {
      add(absl::StrCat("model.", table_.spec(i).name), table_.spec(i).shape, table_.Slice(master_, i));
    }
    for (const optim::AdamW::Slice& s : optimizer_.State()) add(s.name, s.shape, s.view);
    return items;
  }

  void Restored(int64_t optimizer_step) override {
    optimizer_.set_steps(optimizer_step);
    if (compute_ != DType::kF32) ops::Convert(stream_, master_, weights_);
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

  void Forward(const models::Batch& batch) {
    const size_t last = model_.blocks.size() - 1;
    for (size_t i = 0; i <= last; ++i) {
      model_.blocks[i]->Forward(stream_, batch, i > 0 ? between_[i - 1] : View{},
                                i < last ? between_[i] : View{});
    }
  }

  // Blocks finish their gradients from the end of the table to its beginning, so after each of them in the
  // last micro-batch a longer tail of the flat buffer is final and may go to the other ranks.
  void Backward(const models::Batch& batch, bool final) {
    const size_t last = model_.blocks.size() - 1;
    if (final) reducer_->Begin();
    for (size_t i = last + 1; i-- > 0;) {
      models::Block& block = *model_.blocks[i];
      block.Backward(stream_, batch, i > 0 ? between_[i - 1] : View{},
                     i < last ? dbetween_[(i + 1) % 2] : View{}, i > 0 ? dbetween_[i % 2] : View{});
      if (final) reducer_->ReadyDownTo(table_.offset(block.first_param()));
    }
  }

  const recipe::RecipeSpec spec_;
  const plan::ModelCard card_;
  const parallel::Groups* const groups_;  // null when only memory is measured
  const int threads_;
  const DType compute_;
  const int64_t rows_;  // tokens of a micro-batch
  Stream stream_;
  models::ParamTable table_;
  models::Model model_;
  optim::AdamW optimizer_;
  Arena kept_, scratch_;

  View master_, grads_;           // flat, f32
  View weights_;                  // flat, compute type; master_ itself in f32
  View loss_;                     // (2) f64: sum and count
  std::vector<View> between_;     // output of block i, input of block i + 1
  std::array<View, 2> dbetween_;  // the gradient of between_[i - 1], in turns
  std::optional<parallel::GradientReducer> reducer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Stepper>> Stepper::Create(const recipe::RecipeSpec& spec,
                                                         const plan::ModelCard& card,
                                                         const parallel::Groups& groups, int threads,
                                                         int64_t bucket_bytes) {
  auto engine = std::make_unique<Engine>(spec, card, &groups, threads);
  Arena kept, scratch;
  engine->Lay(kept, scratch);
  const int64_t bytes = kept.peak() + scratch.peak();
  if (auto available = AvailableMemory(); available && bytes > *available) {
    return absl::ResourceExhaustedError(
        absl::StrCat("training needs ", bytes >> 20, " MiB and the machine has ", *available >> 20,
                     " MiB left; lower batch.micro or model.context, or train a smaller model"));
  }
  engine->Start(Arena(Buffer(Device(), kept.peak())), Arena(Buffer(Device(), scratch.peak())), bucket_bytes);
  return engine;
}

int64_t Stepper::MemoryBytes(const recipe::RecipeSpec& spec, const plan::ModelCard& card) {
  Engine engine(spec, card, nullptr, 1);
  Arena kept, scratch;
  engine.Lay(kept, scratch);
  return kept.peak() + scratch.peak();
}

}  // namespace galley::train
