// trainctl checkpoints: what a run has saved, and what it had read of each source by then.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/order/lineage.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/run_client.h"
#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kNotRecorded[] = "not recorded";

struct Arguments {
  std::string run;
  bool sources = false;
};

// Absent when it is not recorded: an older version wrote the checkpoint, or it does not open.
absl::StatusOr<std::optional<data::Lineage>> LineageOf(const v1::CheckpointMessage& checkpoint) {
  if (!checkpoint.has_lineage()) return std::nullopt;
  absl::StatusOr<data::Lineage> lineage = data::ParseLineage(checkpoint.lineage());
  if (!lineage.ok()) return Annotate(lineage.status(), checkpoint.path());
  return *std::move(lineage);
}

Json DrawsOf(const data::SourceLineage& source) {
  Json draws = Json::array();
  for (const data::Range& range : source.draws) draws.push_back({range.begin, range.end});
  return draws;
}

Value SourcesOf(const std::optional<data::Lineage>& lineage) {
  if (!lineage.has_value()) return Nested{"null", kNotRecorded};
  Json json = Json::array();
  std::vector<std::string> cells;
  for (const data::SourceLineage& source : lineage->sources) {
    json.push_back({{"source", source.path},
                    {"fingerprint", source.fingerprint},
                    {"samples", source.samples},
                    {"tokens", source.tokens},
                    {"epochs", source.epochs},
                    {"position", source.position},
                    {"draws", DrawsOf(source)}});
    const size_t name = source.path.rfind('/');
    cells.push_back(absl::StrCat(name == std::string::npos ? source.path : source.path.substr(name + 1), " ",
                                 Compact(static_cast<double>(source.tokens))));
  }
  return Nested{json.dump(-1, ' ', false, Json::error_handler_t::replace), absl::StrJoin(cells, ", ")};
}

Value TokensOf(const v1::CheckpointMessage& checkpoint) {
  return checkpoint.has_tokens() ? Value(checkpoint.tokens()) : Value();
}

// A row of each checkpoint and source.
std::vector<Row> SourceRows(const v1::CheckpointMessage& checkpoint,
                            const std::optional<data::Lineage>& lineage) {
  if (!lineage.has_value()) {
    return {{{"step", checkpoint.step()},
             {"source", kNotRecorded},
             {"fingerprint", {}},
             {"samples", checkpoint.samples()},
             {"tokens", TokensOf(checkpoint)},
             {"share", {}},
             {"epochs", {}},
             {"position", {}},
             {"draws", {}}}};
  }
  std::vector<Row> rows;
  const double all = static_cast<double>(std::max<int64_t>(lineage->samples, 1));
  for (const data::SourceLineage& source : lineage->sources) {
    const double share = static_cast<double>(source.samples) / all;
    const std::string draws = DrawsOf(source).dump();
    rows.push_back({{"step", checkpoint.step()},
                    {"source", source.path},
                    {"fingerprint", source.fingerprint},
                    {"samples", source.samples},
                    {"tokens", source.tokens},
                    {"share", Nested{Json(share).dump(), absl::StrFormat("%.2f%%", 100 * share)}},
                    {"epochs", source.epochs},
                    {"position", source.position},
                    {"draws", Nested{draws, draws}}});
  }
  return rows;
}

int Run(const Arguments& arguments, const Globals& globals) {
  absl::StatusOr<RunClient> client = OpenToRead(globals, arguments.run);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::CheckpointsReply> reply = client->client->Checkpoints(client->run);
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::CheckpointMessage& c : reply->checkpoints()) {
    const absl::StatusOr<std::optional<data::Lineage>> lineage = LineageOf(c);
    if (!lineage.ok()) return Fail(lineage.status());
    if (arguments.sources) {
      for (Row& row : SourceRows(c, *lineage)) rows.push_back(std::move(row));
      continue;
    }
    rows.push_back({{"step", c.step()},
                    {"samples", c.samples()},
                    {"tokens", TokensOf(c)},
                    {"bytes", c.bytes()},
                    {"status", c.status()},
                    {"path", c.path()},
                    {"sources", SourcesOf(*lineage)}});
  }
  if (arguments.sources) {
    PrintRows(globals,
              {{"step", "STEP"},
               {"source", "SOURCE"},
               {"fingerprint", "FINGERPRINT", true},
               {"samples", "SAMPLES"},
               {"tokens", "TOKENS"},
               {"share", "SHARE"},
               {"epochs", "EPOCHS"},
               {"position", "POSITION", true},
               {"draws", "DRAWS", true}},
              "source", rows);
    return kOk;
  }
  PrintRows(globals,
            {{"step", "STEP"},
             {"samples", "SAMPLES", true},
             {"tokens", "TOKENS"},
             {"bytes", "BYTES"},
             {"status", "STATUS"},
             {"path", "PATH"},
             {"sources", "SOURCES", true}},
            "path", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App& app, const Globals& globals) {
  const auto arguments = std::make_shared<Arguments>();
  AddRunOption(app, &arguments->run);
  app.add_flag("--sources", arguments->sources, "A line for each checkpoint and source: what was read of it");
  return [arguments, &globals] { return Run(*arguments, globals); };
}

}  // namespace

constinit const Verb kCheckpointsVerb = {"checkpoints", "List a run's checkpoints, and what each had read",
                                         Declare};

}  // namespace galley::trainctl
