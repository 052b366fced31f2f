#include "service/controller/submission.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace galley::service {
namespace {

constexpr char kRecipe[] = R"(apiVersion: galley/v1
kind: Recipe
metadata: {name: small}
model: {family: llama, layers: 1, hidden: 32, heads: 2, ffn: 64, context: 32, vocab: 256}
data: {kind: dummy, tokenizer: {kind: bytes}}
batch: {micro: 1, global: 1}
train: {until: 10 steps}
optimizer: {kind: adamw}
schedule: {lr: {peak: 1e-3, decay: constant}}
launcher: {kind: local}
)";

// Origins are there for people: such a text costs the run its locations, and not the controller its life.
TEST(Submission, OriginsNestedDeeplyAreIgnored) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const char* key : {"files", "places"}) {
    v1::SubmitRequest request;
    request.mutable_recipe()->set_canonical(kRecipe);
    request.mutable_recipe()->set_root("/");
    request.mutable_recipe()->set_origins_json(absl::StrCat("{\"", key, "\":", deep, "}"));
    request.set_run_dir("/none/run");
    LargestIds largest_ids;
    const auto submission = CheckSubmission(request, int64_t{8} << 30, largest_ids);
    ASSERT_TRUE(submission.ok()) << submission.status();
    EXPECT_TRUE(submission->run.has_value()) << recipe::FormatFaults(submission->faults);
  }
}

}  // namespace
}  // namespace galley::service
