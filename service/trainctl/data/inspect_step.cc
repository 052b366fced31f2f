#include "service/trainctl/data/inspect_step.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/tokenizer.h"
#include "service/trainctl/data/seen_step.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/private/run_client.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::ordered_json;

void Put(absl::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

// A run directory needs no controller.
absl::StatusOr<std::string> RunDirOf(const std::string& run, const Globals& globals) {
  if (FileExists(JoinPath(run, "recipe.yaml"))) return AbsolutePath(run);
  ASSIGN_OR_RETURN(RunClient opened, OpenToRead(globals, run));
  ASSIGN_OR_RETURN(const v1::RunSummary summary, opened.client->Get(opened.run));
  return summary.run_dir();
}

absl::StatusOr<std::vector<int64_t>> Chosen(const SeenStep& seen, const InspectStep& what) {
  if (what.rank.has_value() && (*what.rank < 0 || *what.rank >= seen.ranks())) {
    return absl::InvalidArgumentError(
        absl::StrCat("--rank: the step had ranks 0 to ", seen.ranks() - 1, ", not ", *what.rank));
  }
  std::vector<int64_t> positions;
  for (int64_t position = 0; position < seen.samples().size(); ++position) {
    if (!what.rank.has_value() || seen.RankOf(position) == *what.rank) positions.push_back(position);
  }
  if (!what.sample.has_value()) return positions;
  const auto count = static_cast<int64_t>(positions.size());
  if (*what.sample < 0 || *what.sample >= count) {
    return absl::InvalidArgumentError(
        absl::StrCat("--sample: ", what.rank.has_value() ? "the rank" : "the step", " had samples 0 to ",
                     count - 1, ", not ", *what.sample));
  }
  return std::vector<int64_t>{positions[static_cast<size_t>(*what.sample)]};
}

// Texts of the parts. A part that begins inside its document goes on a text.
absl::StatusOr<std::vector<std::string>> Texts(const tokenizer::Tokenizer& tokenizer,
                                               const SeenSample& sample) {
  std::vector<std::string> texts;
  for (const SeenPart& part : sample.parts) {
    const absl::Status decoded =
        tokenizer.Decode(part.ids, texts.emplace_back(), /*continued=*/part.where.tokens.begin > 0);
    RETURN_IF_ERROR(Annotate(decoded, absl::StrCat(sample.source, ".bin: document ", part.where.document)));
  }
  return texts;
}

Json ToJson(const SeenSample& sample, const std::vector<std::string>* texts) {
  Json parts = Json::array();
  for (size_t i = 0; i < sample.parts.size(); ++i) {
    const SeenPart& part = sample.parts[i];
    Json json = {{"document", part.where.document},
                 {"tokens", {part.where.tokens.begin, part.where.tokens.end}},
                 {"document_tokens", part.where.length}};
    if (texts != nullptr) {
      json["text"] = (*texts)[i];
    } else {
      json["ids"] = part.ids;
    }
    parts.push_back(std::move(json));
  }
  return {{"sample", sample.sample},           {"place", sample.position}, {"rank", sample.rank},
          {"micro_batch", sample.micro_batch}, {"source", sample.source},  {"parts", std::move(parts)}};
}

void PutTable(const SeenSample& sample, const std::vector<std::string>* texts) {
  Put(absl::StrCat("\n== sample ", sample.sample, " (", sample.position, " of the step; rank ", sample.rank,
                   ", micro-batch ", sample.micro_batch, ") of ", sample.source, "\n"));
  for (size_t i = 0; i < sample.parts.size(); ++i) {
    const SeenPart& part = sample.parts[i];
    Put(absl::StrCat("-- document ", part.where.document, ", tokens ", part.where.tokens.begin, " to ",
                     part.where.tokens.end - 1, " of ", part.where.length, "\n"));
    const std::string text = texts != nullptr ? (*texts)[i] : absl::StrJoin(part.ids, " ");
    Put(text);
    if (text.empty() || text.back() != '\n') Put("\n");
  }
}

// true, false, or null where nothing was recorded.
Json Agrees(const SeenStep& seen) {
  return seen.recorded().has_value() ? Json(*seen.recorded() == seen.samples_hash()) : Json(nullptr);
}

std::string Verdict(const SeenStep& seen, const std::string& run_dir) {
  const std::string metrics = JoinPath(run_dir, "metrics.jsonl");
  if (!seen.recorded().has_value()) return absl::StrCat("not recorded in ", metrics);
  if (*seen.recorded() == seen.samples_hash()) return absl::StrCat("as recorded by attempt ", seen.attempt());
  return absl::StrCat("DIFFERS from ", *seen.recorded(), ", recorded by attempt ", seen.attempt());
}

}  // namespace

absl::Status PrintStep(const InspectStep& what, const Globals& globals) {
  ASSIGN_OR_RETURN(const std::string run_dir, RunDirOf(what.run, globals));
  ASSIGN_OR_RETURN(const std::unique_ptr<SeenStep> seen, SeenStep::Open(run_dir, *what.step));
  ASSIGN_OR_RETURN(const std::vector<int64_t> positions, Chosen(*seen, what));
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  if (!what.ids) {
    ASSIGN_OR_RETURN(tokenizer, tokenizer::MakeTokenizer(seen->spec().data.tokenizer));
  }
  Json json = {{"run_dir", run_dir},
               {"step", seen->step()},
               {"attempt", seen->attempt() > 0 ? Json(seen->attempt()) : Json(nullptr)},
               {"order", seen->plan().version},
               {"plan", seen->plan_from()},
               {"first_sample", seen->samples().begin},
               {"global_batch", seen->samples().size()},
               {"ranks", seen->ranks()},
               {"samples_hash", seen->samples_hash()},
               {"recorded", seen->recorded().has_value() ? Json(*seen->recorded()) : Json(nullptr)},
               {"agrees", Agrees(*seen)}};
  const bool as_json = IsJson(globals);
  const bool table = globals.output == "table" || globals.output == "wide";
  if (table) {
    Put(absl::StrCat("STEP     ", seen->step(), " of ", run_dir, "\nSAMPLES  ", seen->samples().begin, " to ",
                     seen->samples().end - 1, " of ", seen->plan().version, ", plan of ", seen->plan_from(),
                     "\nHASH     ", seen->samples_hash(), ", ", Verdict(*seen, run_dir), "\n"));
  }
  Json samples = Json::array();
  for (const int64_t position : positions) {
    ASSIGN_OR_RETURN(const SeenSample sample, seen->Read(position));
    std::vector<std::string> texts;
    if (tokenizer != nullptr) {
      ASSIGN_OR_RETURN(texts, Texts(*tokenizer, sample));
    }
    const std::vector<std::string>* const shown = tokenizer != nullptr ? &texts : nullptr;
    if (as_json) {
      samples.push_back(ToJson(sample, shown));
    } else if (table) {
      PutTable(sample, shown);
    } else {
      Put(absl::StrCat(sample.sample, "\n"));
    }
  }
  if (as_json) {
    json["samples"] = std::move(samples);
    Put(json.dump(globals.output == "json" ? 2 : -1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  if (!seen->recorded().has_value() || *seen->recorded() == seen->samples_hash()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "step ", seen->step(), ": these are not the samples that the run saw (", Verdict(*seen, run_dir),
      "): the recipe or the data plan in ", run_dir, " is not the one it ran with"));
}

}  // namespace galley::trainctl
