// A pipeline of two stages, each a process, with two micro-batches in flight: the residual
// stream and its gradient cross by Send and Recv. Losses, gradients and weights have the bits of
// one rank that holds all layers.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/hash.h"
#include "runtime/comm/ranks_for_test.h"
#include "runtime/models/describe.h"
#include "runtime/models/engine.h"
#include "runtime/models/families.h"
#include "runtime/models/llama/keys.h"
#include "runtime/parallel/groups.h"

namespace galley::golden {
namespace {

constexpr int64_t kSamples = 2, kContext = 12, kRows = kSamples * kContext, kVocab = 40;
constexpr int kMicroBatches = 2, kSteps = 3;

recipe::RecipeSpec Spec(recipe::Compute compute) {
  recipe::RecipeSpec spec;
  spec.model = {.layers = 4, .hidden = 32, .heads = 4, .ffn = 48, .context = kContext, .vocab = kVocab};
  recipe::SetFamily(models::LlamaFamily(), spec.model);
  spec.model.keys.As<models::LlamaKeys>().kv_heads = 2;
  spec.precision.compute = compute;
  return spec;
}

std::string Digest(View v) {
  return Hex(Hash64(absl::string_view(static_cast<const char*>(v.data), static_cast<size_t>(v.bytes()))));
}

// One rank's stage of the model and its part in a step.
class Stage {
 public:
  Stage(const recipe::RecipeSpec& spec, const parallel::Groups& groups)
      : groups_(groups), stage_(groups.coordinate.pipeline), last_(groups.mesh.pipeline - 1) {
    const models::EngineOptions options{
        .rows = kRows, .micro_batches = kMicroBatches, .stage = stage_, .stages = groups.mesh.pipeline};
    card_ = models::StageCard(spec.model, models::Describe(spec), stage_, options.stages);
    layers::Memory measured;
    models::AllocateEngine(spec, card_, options, measured);
    memory_ = layers::BindMemory(Device(), measured);
    engine_ = std::make_unique<models::Engine>(spec.model, card_, options,
                                               models::AllocateEngine(spec, card_, options, memory_),
                                               MakeStream(Device(), 1));
    engine_->weights().Initialise(stream(), 7, 1);
  }

  // All forward passes, then all backward passes. Returns the step's summed loss, the same on every rank.
  double Step(int step) {
    std::vector<models::Batch> batches;
    for (int m = 0; m < kMicroBatches; ++m) batches.push_back(BatchOf(step, m));
    const View gradients = engine_->weights().gradients();
    std::memset(gradients.data, 0, static_cast<size_t>(gradients.bytes()));
    loss_[0] = loss_[1] = 0;
    for (int m = 0; m < kMicroBatches; ++m) {
      if (stage_ > 0) Ok(groups_.pipeline->Recv(stream(), engine_->input(m), Neighbour(-1)));
      engine_->Forward(m, batches[static_cast<size_t>(m)]);
      if (stage_ < last_) Ok(groups_.pipeline->Send(stream(), engine_->output(m), Neighbour(1)));
    }
    for (int m = 0; m < kMicroBatches; ++m) {
      if (stage_ < last_) Ok(groups_.pipeline->Recv(stream(), engine_->output_gradient(), Neighbour(1)));
      engine_->Backward(m, batches[static_cast<size_t>(m)]);
      if (stage_ > 0) Ok(groups_.pipeline->Send(stream(), engine_->input_gradient(), Neighbour(-1)));
    }
    Ok(groups_.pipeline->Broadcast(stream(), View(loss_, DType::kF64, Shape{2}), static_cast<int>(last_)));
    return loss_[0];
  }

  // Plain gradient descent: enough for the next step to depend on this one's gradients.
  void Update() {
    const View master = engine_->weights().master(), gradients = engine_->weights().gradients();
    for (int64_t i = 0; i < master.elements(); ++i) {
      master.As<float>()[i] -= 0.1F * gradients.As<float>()[i];
    }
    engine_->weights().Refresh(stream());
  }

  // A line for each parameter here: its name, and digests of gradient and weights.
  std::vector<std::string> Lines() const {
    const models::ParamTable& table = engine_->weights().table();
    std::vector<std::string> lines;
    for (int i = 0; i < table.size(); ++i) {
      lines.push_back(absl::StrCat(table.spec(i).name, " ", Digest(table.at(i)->grad), " ",
                                   Digest(table.Slice(engine_->weights().master(), i))));
    }
    return lines;
  }

 private:
  Stream& stream() { return engine_->stream(); }
  int Neighbour(int distance) const { return static_cast<int>(stage_) + distance; }
  static void Ok(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status.ToString(); }

  models::Batch BatchOf(int step, int m) {
    std::vector<int32_t>&tokens = tokens_[m], &labels = labels_[m];
    tokens.resize(kRows);
    labels.resize(kRows);
    for (int i = 0; i < kRows; ++i) {
      tokens[static_cast<size_t>(i)] = (i * 7 + m * 3 + step * 5) % kVocab;
      labels[static_cast<size_t>(i)] = (i * 7 + m * 3 + step * 5 + 7) % kVocab;
    }
    const Shape shape{kSamples, kContext};
    return {.tokens = View(tokens.data(), DType::kI32, shape),
            .labels = View(labels.data(), DType::kI32, shape),
            .grad_scale = 1.0F / (kMicroBatches * kRows),
            .loss = View(loss_, DType::kF64, Shape{2})};
  }

  const parallel::Groups& groups_;
  const int64_t stage_, last_;
  plan::ModelCard card_;
  layers::Memory memory_;
  std::unique_ptr<models::Engine> engine_;
  std::vector<int32_t> tokens_[kMicroBatches], labels_[kMicroBatches];
  double loss_[2] = {};
};

// What each rank of the pipeline says: first the losses of all steps, then a line
// a parameter after each step.
std::vector<std::string> Train(const recipe::RecipeSpec& spec, int stages) {
  return comm::RunRanks(stages, [&](comm::Group& world) -> std::string {
    auto groups = parallel::Groups::Split(&world, {.pipeline = stages});
    CHECK(groups.ok()) << groups.status().ToString();
    Stage stage(spec, *groups);
    std::vector<std::string> losses, lines;
    for (int step = 0; step < kSteps; ++step) {
      double loss = stage.Step(step);
      losses.push_back(Digest(View(&loss, DType::kF64, Shape{1})));
      stage.Update();
      for (const std::string& line : stage.Lines()) lines.push_back(absl::StrCat(step, " ", line));
    }
    return absl::StrCat(absl::StrJoin(losses, " "), "\n", absl::StrJoin(lines, "\n"));
  });
}

class PipelineTest : public testing::TestWithParam<recipe::Compute> {};

TEST_P(PipelineTest, TwoStagesWithTwoMicroBatchesInFlightGiveTheBitsOfOneRank) {
  const auto lines = [](const std::string& text) {
    std::vector<std::string> out;
    for (size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
      end = text.find('\n', at);
      out.push_back(text.substr(at, end == std::string::npos ? end : end - at));
    }
    return out;
  };
  const recipe::RecipeSpec spec = Spec(GetParam());
  std::vector<std::string> want = lines(Train(spec, 1).at(0)), got;
  for (const std::string& rank : Train(spec, 2)) {
    std::vector<std::string> said = lines(rank);
    EXPECT_EQ(said[0], want[0]) << "losses";
    EXPECT_GT(said.size(), 1u + kSteps) << "no stage is without parameters";
    got.insert(got.end(), said.begin() + 1, said.end());
  }
  want.erase(want.begin());
  EXPECT_EQ(static_cast<int64_t>(want.size()),
            kSteps * static_cast<int64_t>(models::Describe(spec).params.size()));
  EXPECT_THAT(got, testing::UnorderedElementsAreArray(want));
}

INSTANTIATE_TEST_SUITE_P(Compute, PipelineTest,
                         testing::Values(recipe::Compute::kF32, recipe::Compute::kBF16),
                         [](const auto& info) {
                           return info.param == recipe::Compute::kF32 ? "F32" : "BF16";
                         });

}  // namespace
}  // namespace galley::golden
