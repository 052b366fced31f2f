#include "tests/changing/examples.h"

namespace galley {
namespace {

Example Family() {
  const std::string include = "#include \"runtime/models/llama/[^\n]*";
  return {.change = "a model family",
          .name = "llama",
          .names = "\\bllama\\b|Llama",
          .own = {"runtime/models/llama/"},
          .touched = {{"runtime/models/CMakeLists.txt", "\\bllama\\b"},
                      {"runtime/models/families.cc", include},
                      {"runtime/models/families.cc", "\\{LlamaFamily\\(\\)"},
                      {"runtime/models/makers.cc", include},
                      {"runtime/models/makers.cc", "\\{LlamaFamily\\(\\)"}},
          .uses = {{"runtime/tokenizer/", ""}}};  // Llama 3's split
}

Example Op() {
  return {.change = "an op",
          .name = "rms_norm",
          .names = "rms_norm|RmsNorm|NormScratch",
          .own = {"runtime/ops/rms_norm"},
          .touched = {{"runtime/ops/scratch.h", "int64_t NormScratch\\("},
                      {"runtime/ops/scratch.cc", "int64_t NormScratch\\("},
                      {"runtime/layers/activations.cc", "ops::NormScratch\\("}},
          .uses = {{"runtime/layers/", ""}, {"runtime/ops/layer_norm", ""}}};
}

Example Field() {
  return {.change = "a recipe field",
          .name = "optimizer.clip_norm",
          .names = "\\bclip_norm\\b",
          .own = {},
          .touched = {{"runtime/recipe/spec.h", "double clip_norm\\b"},
                      {"runtime/recipe/tables_optimizer.cc", "d\\.Leaf\\(\"clip_norm\""}},
          .uses = {{"runtime/train/", ""}, {"runtime/optim/", ""}}};
}

Example Exporter() {
  return {.change = "an exporter",
          .name = "jsonl",
          .names = "\\bkJsonl|OpenJsonl|\\bJSONL =|::JSONL\\b|\\{\"jsonl\", Exporter|jsonl: |exporters/jsonl",
          .own = {"exporters/jsonl"},
          .touched = {{"proto/galley/v1/run.proto", "\\bJSONL ="},
                      {"runtime/recipe/spec.h", "\\bkJsonl \\}"},
                      {"runtime/recipe/tables_run.cc", "\\{\"jsonl\", ExporterKind::kJsonl\\}"},
                      {"runtime/recipe/tables_run.cc", "\"[^\"\n]*jsonl: [^\"\n]*\""},
                      {"service/node/exporter_kinds.cc", "\\{v1::ExporterKind::JSONL, "},
                      {"service/node/exporter_kinds.h", "absl::StatusOr<[^\n]* OpenJsonlExporter\\("},
                      {"service/node/open_exporter.cc", "#include \"exporters/jsonl.h\""},
                      {"service/node/open_exporter.cc", "absl::StatusOr<[^\n]* OpenJsonlExporter\\("}},
          .uses = {{"runtime/recipe/spec.h", "ExporterKind kind = "}}};  // the default of items
}

Example Launcher() {
  return {.change = "a launcher",
          .name = "local",
          .names = "\\bkLocal\\b|MakeLocal|\"local[\":]",
          .own = {"launcher/local"},
          .touched = {{"launcher/launcher.h", "std::unique_ptr<Launcher> MakeLocal\\("},
                      {"runtime/recipe/check.cc", "case LauncherKind::kLocal:[^;]*;[^;]*break;"},
                      {"runtime/recipe/spec.h", "\\{ kLocal,"},
                      {"runtime/recipe/tables_run.cc", "\\{\"local\", LauncherKind::kLocal\\}"},
                      {"runtime/recipe/tables_run.cc", "\"local: [^\"\n]*\""},
                      {"service/controller/main.cc", "launchers\\[recipe::LauncherKind::kLocal\\]"}},
          .uses = {{"runtime/recipe/spec.h", "LauncherKind kind = "},            // the default
                   {"service/run/run.h", "recipe::LauncherKind launcher = "}}};  // the default
}

Example Rpc() {
  return {.change = "an RPC",
          .name = "Nodes",
          .names = "rpc Nodes\\(|NodesRe(quest|ply)\\b|\\bNodeMessage\\b|[.>:]Nodes\\(|\\bNodes\\(\\)",
          .own = {},
          .touched = {{"proto/galley/v1/controller.proto", "rpc Nodes\\("},
                      {"proto/galley/v1/controller.proto", "message (NodesRequest|NodesReply|NodeMessage) "},
                      {"service/controller/controller_service.cc", "grpc::ServerUnaryReactor\\* Nodes\\("},
                      {"service/controller/core.h", "v1::NodesReply Nodes\\("},
                      {"service/controller/core_nodes.cc", "v1::NodesReply Core::Nodes\\("},
                      {"service/trainctl/private/client.h", "virtual [^\n]* Nodes\\("},
                      {"service/trainctl/private/client.cc", "absl::StatusOr<v1::NodesReply> Nodes\\("},
                      {"service/trainctl/private/stored_run.cc", "absl::StatusOr<v1::NodesReply> Nodes\\("}},
          .uses = {{"service/trainctl/verbs/nodes.cc", ""}, {"service/view/", ""}}};
}

// One that is no field of the reports of older versions, which rank.proto keeps.
Example Metric() {
  return {.change = "a metric",
          .name = "global_batch_tokens",
          .names = "global_batch_tokens",
          .own = {},
          .touched = {{"runtime/metrics/metric.h",
                       "\\{\\.id = \\d+,\\s*\\.kind = \\w+,\\s*\\.name = \"global_batch_tokens\""},
                      {"runtime/train/loop.cc", "record\\.Set<\"global_batch_tokens\">"}},
          .uses = {{"runtime/train/loop.cc", "record\\.Get<\"global_batch_tokens\">"},
                   {"runtime/metrics/older_report.cc", ""}}};
}

Example TokenizerKind() {
  return {.change = "a tokenizer kind",
          .name = "tekken",
          .names = "[Tt]ekken",
          .own = {"runtime/tokenizer/vocab/tekken"},
          .touched = {{"runtime/tokenizer/kinds.h", "\\bkTekken,"},
                      {"runtime/tokenizer/kinds.cc", "\\{Kind::kTekken, "},
                      {"runtime/tokenizer/kinds.cc", "bool IsTekken\\("},
                      {"runtime/tokenizer/kinds.cc", "bool IsHuggingFace\\([^;]*!IsTekken"},
                      {"runtime/tokenizer/tokenizer.h", "absl::StatusOr<[^\n]* MakeTekkenTokenizer\\("}},
          // The pattern of that name is a tiktoken's too.
          .uses = {{"runtime/tokenizer/split/", ""},
                   {"runtime/tokenizer/vocab/tiktoken_tokenizer.cc", "\"pattern: gpt2, "},
                   {"runtime/recipe/tables_data.cc", "\"How texts are split into pieces: "}}};
}

Example Verb() {
  return {.change = "a verb of trainctl",
          .name = "nodes",
          .names = "kNodesVerb",
          .own = {"service/trainctl/verbs/nodes"},
          .touched = {{"service/trainctl/verbs.cc", "&kNodesVerb"},
                      {"service/trainctl/verbs.h", "extern const Verb kNodesVerb"}}};
}

}  // namespace

const std::vector<Example>& Examples() {
  static const std::vector<Example> examples = {Family(), Op(),     Field(),         Exporter(), Launcher(),
                                                Rpc(),    Metric(), TokenizerKind(), Verb()};
  return examples;
}

const std::vector<Toy>& Toys() {
  static const std::vector<Toy> toys = {
      {"a model family",
       {{"runtime/models/families.cc", {"tests/toys/families.cc", "#include \"tests/toys/toy/[^\n]*"}},
        {"runtime/models/families.cc", {"tests/toys/families.cc", "\\{ToyFamily\\(\\)"}},
        {"runtime/models/makers.cc", {"tests/toys/makers.cc", "#include \"tests/toys/toy/[^\n]*"}},
        {"runtime/models/makers.cc", {"tests/toys/makers.cc", "\\{ToyFamily\\(\\)"}}}},
      {"an exporter",
       {{"service/node/exporter_kinds.cc", {"tests/toys/exporter_kinds.cc", "\\{kToyExporter, "}},
        {"service/node/exporter_kinds.h",
         {"tests/toys/toy_exporter.h", "absl::StatusOr<[^\n]* OpenToyExporter\\("}},
        {"service/node/open_exporter.cc",
         {"tests/toys/toy_exporter.cc", "absl::StatusOr<[^\n]* OpenToyExporter\\("}}}},
      {"a launcher",
       {{"service/controller/main.cc",
         {"tests/nodes/two_nodes_test.cc", "launchers\\[recipe::LauncherKind::kLocal\\]"}}}},
  };
  return toys;
}

}  // namespace galley
