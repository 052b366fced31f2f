// A whole optimizer step of GPT-2 124M on 4 x 256 tokens beside oneDNN's matmul on the same layers' products:
// bench-step [f32|bf16] [seconds] [threads]. Exits 1 when the share is below the project's lower bound:
// half of oneDNN's rate in f32, 15 % in bf16.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/ops/matmul_rate.h"
#include "runtime/comm/group.h"
#include "runtime/models/describe.h"
#include "runtime/models/gpt2/keys.h"
#include "runtime/train/step.h"

namespace galley::bench {
namespace {

constexpr int64_t kMicro = 4, kContext = 256, kVocab = 50257;

recipe::RecipeSpec Spec(DType dtype) {
  recipe::RecipeSpec spec;
  spec.model = {.family = &models::Gpt2Family(),
                .layers = 12,
                .hidden = 768,
                .heads = 12,
                .ffn = 3072,
                .context = kContext,
                .vocab = kVocab,
                .activation = recipe::Activation::kGeluTanh,
                .keys = models::Gpt2Keys{}};
  spec.precision.compute = dtype == DType::kF32 ? recipe::Compute::kF32 : recipe::Compute::kBF16;
  spec.batch.micro = kMicro;
  spec.batch.global = kMicro;
  return spec;
}

int Main(int argc, char** argv) {
  DType dtype = argc > 1 && std::string(argv[1]) == "f32" ? DType::kF32 : DType::kBF16;
  double seconds = argc > 2 ? std::atof(argv[2]) : 60;
  int threads = argc > 3 ? std::atoi(argv[3]) : 2;

  recipe::RecipeSpec spec = Spec(dtype);
  plan::ModelCard card = models::Describe(spec);
  std::unique_ptr<comm::Group> world = comm::MakeSelfGroup();
  auto groups = parallel::Groups::Split(world.get(), {});
  auto stepper = train::Stepper::Create(spec, card, *groups, threads);
  if (!stepper.ok()) {
    std::fprintf(stderr, "%s\n", std::string(stepper.status().message()).c_str());
    return 1;
  }
  std::vector<int32_t> tokens(kMicro * kContext), labels(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int32_t>(i * 7919 % kVocab);
    labels[i] = static_cast<int32_t>((i + 1) * 7919 % kVocab);
  }
  auto next = [&](int64_t) -> absl::StatusOr<train::TokenBatch> {
    return train::TokenBatch{View(tokens.data(), DType::kI32, {kMicro, kContext}),
                             View(labels.data(), DType::kI32, {kMicro, kContext})};
  };

  Slices slices;
  MatmulRate rate(slices, Gpt2Shapes(kMicro * kContext), dtype, threads);
  bool sound = true;
  size_t at = slices.items().size();
  slices.Add("step", rate.StepFlops(), [&] {
    absl::StatusOr<train::StepResult> result =
        (*stepper)->Run({.micro_batches = 1, .lr = 1e-4, .next = next});
    sound = sound && result.ok() && result->updated;
  });
  slices.Run(seconds);
  if (!sound) {
    std::fprintf(stderr, "a step failed or met a NaN\n");
    return 1;
  }
  const Slices::Item& step = slices.items()[at];
  double median = step.work / step.Median() / rate.MedianRate(),
         best = step.work / step.Best() / rate.BestRate();
  double bound = dtype == DType::kF32 ? 0.5 : 0.15;
  std::printf("%s, %d threads, %zu rounds, GPT-2 124M, %d x %d tokens\n", std::string(Name(dtype)).c_str(),
              threads, step.seconds.size(), static_cast<int>(kMicro), static_cast<int>(kContext));
  std::printf("step           %8.1f ms median %8.1f ms best\n", step.Median() * 1e3, step.Best() * 1e3);
  std::printf("oneDNN matmul  %8.1f GFLOP/s median %8.1f best\n", rate.MedianRate() / 1e9,
              rate.BestRate() / 1e9);
  std::printf("share          %8.1f %% of medians %8.1f %% of bests, lower bound %.0f %%\n", median * 100,
              best * 100, bound * 100);
  return median >= bound ? 0 : 1;
}

}  // namespace
}  // namespace galley::bench

int main(int argc, char** argv) { return galley::bench::Main(argc, argv); }
