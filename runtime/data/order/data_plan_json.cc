#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/data/order/data_plan.h"

namespace galley::data {
namespace {

using Written = nlohmann::ordered_json;

constexpr int64_t kMaxTokens = int64_t{1} << 56;
constexpr int64_t kMaxPeriod = int64_t{1} << 24;

absl::Status Bad(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("data plan: ", what, "; take the plan from an intact checkpoint"));
}

constexpr size_t kMaxEnds = 64;  // more than any list of splits has, so that its own length is at fault

bool IsCount(const Json& item) {
  return item.kind == Json::Kind::kInt && item.integer >= 0 && item.integer <= kMaxTokens;
}

// Four ends of three ranges that follow one another.
void ReadRanges(JsonReader& reader, const char* name, std::array<Range, 3>& ranges) {
  const std::vector<Json>& items = reader.Items(name, kMaxEnds);
  if (!reader.status().ok()) return;
  if (items.size() != 4) return reader.Fail(name, "is not a list of four ends");
  for (size_t i = 0; i < 4; ++i) {
    if (!IsCount(items[i])) return reader.Fail(absl::StrCat(name, "[", i, "]"), "is not a count");
    if (i > 0 && items[i].integer < items[i - 1].integer) return reader.Fail(name, "steps back");
  }
  for (size_t i = 0; i < 3; ++i) ranges[i] = {items[i].integer, items[i + 1].integer};
}

// Lists of numbers or truth values, one of each split.
template <class T>
void ReadSplits(JsonReader& reader, const char* name, std::array<T, 3>& values) {
  const std::vector<Json>& items = reader.Items(name, kMaxEnds);
  if (!reader.status().ok()) return;
  if (items.size() != 3) return reader.Fail(name, "is not a list of three");
  for (size_t i = 0; i < 3; ++i) {
    const Json& item = items[i];
    const std::string member = absl::StrCat(name, "[", i, "]");
    if constexpr (std::is_same_v<T, bool>) {
      if (item.kind != Json::Kind::kBool) return reader.Fail(member, "is not true or false");
      values[i] = item.boolean;
    } else {
      if (!IsCount(item)) return reader.Fail(member, "is not a count");
      values[i] = item.integer;
    }
  }
}

// The splits of a file follow one another: four ends say it all.
Written Ends(const std::array<Range, 3>& ranges) {
  return {ranges[0].begin, ranges[0].end, ranges[1].end, ranges[2].end};
}

constexpr size_t kMaxSkips = 4096;

// Pairs of begin and end; a plan without them has none.
absl::Status ParseSkip(const Json& plan, std::vector<Range>& skip) {
  if (!plan.contains("skip")) return absl::OkStatus();
  JsonReader reader(plan);
  for (const Json& pair : reader.Items("skip", kMaxSkips)) {
    if (pair.items.size() != 2 || !IsCount(pair.items[0]) || !IsCount(pair.items[1])) {
      return Bad("skip holds what is not a pair of samples");
    }
    const Range range{pair.items[0].integer, pair.items[1].integer};
    if (range.size() <= 0 || range.begin < (skip.empty() ? 0 : skip.back().end + 1)) {
      return Bad("skip does not rise");
    }
    skip.push_back(range);
  }
  return reader.status().ok() ? absl::OkStatus() : Bad(reader.status().message());
}

// What the order's version adds to a source.
absl::Status ParseEpochs(const Json& object, const DataPlan& plan, PlannedSource& source) {
  std::array<int64_t, 3> epochs{};
  std::array<bool, 3> separate{};
  JsonReader reader(object);
  ReadSplits(reader, "epochs", epochs);
  ReadSplits(reader, "separate_last", separate);
  if (!reader.status().ok()) return Bad(reader.status().message());
  for (size_t i = 0; i < epochs.size(); ++i) {
    if (epochs[i] == 0) continue;
    if (epochs[i] == 1 && separate[i]) return Bad("the only epoch stands by itself");
    absl::StatusOr<MegatronEpochs> planned =
        EpochsOf(source.stream[i].size(), epochs[i], separate[i], plan.sequence_length);
    if (!planned.ok()) return Bad(planned.status().message());
    source.epochs[i] = *planned;
  }
  return absl::OkStatus();
}

absl::StatusOr<PlannedSource> ParseSource(const Json& object, const DataPlan& plan) {
  PlannedSource source;
  JsonReader fields(object, absl::StrCat("sources[", plan.sources.size(), "]"));
  fields.Read("path", source.path);
  fields.Read("fingerprint", source.fingerprint);
  fields.Read("weight", source.weight);
  if (!plan.megatron()) fields.Read("share", source.share, 1, kMaxPeriod);
  fields.Read("tokens", source.tokens, 0, kMaxTokens);
  ReadRanges(fields, "sequences", source.sequences);
  ReadRanges(fields, "stream", source.stream);
  if (plan.packed()) ReadSplits(fields, "bins", source.bins);
  if (!fields.status().ok()) return Bad(fields.status().message());
  if (source.stream[2].end > source.tokens) return Bad("stream ends after the source's tokens");
  if (plan.megatron()) RETURN_IF_ERROR(ParseEpochs(object, plan, source));
  for (size_t i = 0; i < source.bins.size(); ++i) {
    if (source.bins[i] > source.stream[i].size()) return Bad("bins are more than the tokens in them");
  }
  return source;
}

}  // namespace

std::string ToJson(const DataPlan& plan) {
  Written sources = Written::array();
  for (const PlannedSource& source : plan.sources) {
    Written json = {{"path", source.path}, {"fingerprint", source.fingerprint}, {"weight", source.weight}};
    if (!plan.megatron()) json["share"] = source.share;
    json["tokens"] = source.tokens;
    json["sequences"] = Ends(source.sequences);
    json["stream"] = Ends(source.stream);
    if (plan.packed()) json["bins"] = source.bins;
    if (plan.megatron()) {
      json["epochs"] = Written::array();
      json["separate_last"] = Written::array();
      for (const MegatronEpochs& epochs : source.epochs) {
        json["epochs"].push_back(epochs.epochs);
        json["separate_last"].push_back(epochs.separate_last);
      }
    }
    sources.push_back(std::move(json));
  }
  Written json = {{"version", plan.version},
                  {"seed", plan.seed},
                  {"sequence_length", plan.sequence_length},
                  {"vocab", plan.vocab}};
  if (plan.megatron()) {
    json["samples"] = plan.samples;
    json["blended"] = plan.blended;
  } else if (!plan.dummy()) {
    json["period"] = plan.period;
  }
  for (const Range& range : plan.skip) json["skip"].push_back({range.begin, range.end});
  json["sources"] = std::move(sources);
  // A path need not be UTF-8; it is no part of the hash, so a replacement character does no harm.
  return json.dump(-1, ' ', false, Written::error_handler_t::replace);
}

absl::StatusOr<DataPlan> ParseDataPlan(absl::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return Bad(json.status().message());
  DataPlan plan;
  JsonReader fields(*json);
  fields.Read("version", plan.version);
  if (!fields.status().ok()) return Bad(fields.status().message());
  if (plan.version != kOrderVersion && !plan.packed() && !plan.dummy() && !plan.megatron()) {
    return absl::UnimplementedError(
        absl::StrCat("data plan: order version ", plan.version, " is not known; this program knows ",
                     kOrderVersion, ", ", kPackedVersion, ", ", kDummyVersion, ", ", kMegatron010, " and ",
                     kMegatron014, "; resume with the version that wrote the checkpoint"));
  }
  fields.Read("seed", plan.seed);
  fields.Read("sequence_length", plan.sequence_length, 1, int64_t{1} << 31);
  fields.Read("vocab", plan.vocab, 0, int64_t{1} << 31);
  if (plan.megatron()) {
    ReadSplits(fields, "samples", plan.samples);
    fields.Read("blended", plan.blended);
  } else if (!plan.dummy()) {
    fields.Read("period", plan.period, 1, kMaxPeriod);
  }
  if (!fields.status().ok()) return Bad(fields.status().message());
  RETURN_IF_ERROR(ParseSkip(*json, plan.skip));
  const std::vector<Json>& sources = fields.Items("sources", static_cast<size_t>(kMaxSources));
  if (!fields.status().ok()) return Bad(fields.status().message());
  if (sources.empty() != plan.dummy()) return Bad("sources is not a list");
  int64_t shares = 0;
  for (const Json& object : sources) {
    ASSIGN_OR_RETURN(PlannedSource source, ParseSource(object, plan));
    shares += source.share;
    plan.sources.push_back(std::move(source));
  }
  if (plan.megatron() || plan.dummy()) return plan;
  if (shares != plan.period) return Bad(absl::StrCat("the shares sum to ", shares, ", not to ", plan.period));
  return plan;
}

namespace {

std::string MegatronText(const DataPlan& plan) {
  std::string text = absl::StrCat(plan.version, " ", plan.seed, " ", plan.sequence_length, " ",
                                  plan.blended ? "blend" : "one source");
  for (const PlannedSource& source : plan.sources) {
    absl::StrAppend(&text, "\n", source.fingerprint, " ", plan.blended ? Written(source.weight).dump() : "",
                    " ", source.sequences[0].begin, " ", source.sequences[0].end, " ",
                    source.epochs[0].epochs, " ", source.epochs[0].separate_last ? "separate" : "joint");
  }
  return text;
}

}  // namespace

// Only what decides the whole training order: files may move, weights act by their shares, validation has an
// order of its own, and data.skip leaves out without changing what is left (CheckResume compares it).
std::string Hash(const DataPlan& plan) {
  if (plan.megatron()) return Hex(Hash64(MegatronText(plan)));
  std::string text = absl::StrCat(plan.version, " ", plan.seed, " ", plan.sequence_length, " ", plan.period);
  for (const PlannedSource& source : plan.sources) {
    absl::StrAppend(&text, "\n", source.fingerprint, " ", source.share, " ", source.stream[0].begin, " ",
                    source.stream[0].end);
  }
  return Hex(Hash64(text));
}

}  // namespace galley::data
