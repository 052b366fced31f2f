#include "runtime/generate/task.h"

#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "galley/v1/rank.pb.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/generate/generator.h"
#include "runtime/generate/sample.h"
#include "runtime/prepare/prepare.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley::generate {
namespace {

void Print(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

absl::Status Run(const v1::Start& start) {
  const v1::GenerateTask& task = start.generate();
  Sampling sampling;
  sampling.temperature = task.temperature();
  sampling.top_k = task.top_k();
  sampling.top_p = task.top_p() > 0 ? task.top_p() : 1;
  sampling.seed = task.seed();
  RETURN_IF_ERROR(Check(sampling));
  prepare::PrepareResult result = prepare::Prepare({.canonical = start.recipe().canonical(),
                                                    .root = start.recipe().root(),
                                                    .origins_json = start.recipe().origins_json()});
  if (!result.prepared.has_value()) return absl::InvalidArgumentError(recipe::FormatFaults(result.faults));
  const recipe::RecipeSpec& spec = result.prepared->spec;
  ASSIGN_OR_RETURN(auto tokenizer, tokenizer::MakeTokenizer(spec.data.tokenizer));
  auto generator = Generator::Create(spec, result.prepared->plan.card, start.threads());
  RETURN_IF_ERROR(
      checkpoint::Load(generator->stream(), start.restore_path(), generator->WeightItems(), {"optim."}));
  generator->Loaded();

  std::vector<int32_t> tokens;
  if (spec.data.tokenizer.add_special_tokens) tokens = tokenizer->frame().before;
  RETURN_IF_ERROR(Annotate(tokenizer->NewEncoder()->Encode(task.prompt(), tokens), "--prompt"));
  if (tokens.empty()) {
    if (!tokenizer->eod().has_value()) {
      return absl::InvalidArgumentError(
          "--prompt: is empty, and this tokenizer has no separator to start from");
    }
    tokens.push_back(*tokenizer->eod());
  }
  Print(task.prompt());
  absl::Status decoded;
  std::string text;
  RETURN_IF_ERROR(Continue(*generator, sampling, task.max_tokens(), tokens, [&](int32_t id) {
    if (id == tokenizer->eod()) return false;
    text.clear();
    decoded = tokenizer->Decode({&id, 1}, text, true);
    Print(text);
    return decoded.ok();
  }));
  Print("\n");
  return decoded;
}

}  // namespace

int RunTask(const std::string& order_file) {
  absl::Status status;
  if (auto bytes = ReadFile(order_file, int64_t{16} << 20); !bytes.ok()) {
    status = bytes.status();
  } else if (v1::Start start; !start.ParseFromString(*bytes) || !start.has_generate()) {
    status = absl::InvalidArgumentError(absl::StrCat(order_file, ": is not a Start order with a task"));
  } else {
    status = Run(start);
  }
  if (status.ok()) return 0;
  LogError(status.message());
  return 1;
}

}  // namespace galley::generate
