#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/order/data_plan.h"

namespace galley::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMaxTokens = int64_t{1} << 56;
constexpr int64_t kMaxPeriod = int64_t{1} << 24;

absl::Status Bad(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("data plan: ", what, "; take the plan from an intact checkpoint"));
}

// Reads members of one object; the first fault is kept.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  void Read(const char* name, int64_t low, int64_t high, int64_t& value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_number_integer() ||
        (member->is_number_unsigned() && member->get<uint64_t>() > INT64_MAX)) {
      return Fail(absl::StrCat(name, " is no whole number"));
    }
    value = member->get<int64_t>();
    if (value < low || value > high) Fail(absl::StrCat(name, " is ", value, ", outside ", low, " to ", high));
  }
  void Read(const char* name, std::string& value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_string()) return Fail(absl::StrCat(name, " is no text"));
    value = member->get<std::string>();
  }
  void Read(const char* name, double& value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_number()) return Fail(absl::StrCat(name, " is no number"));
    value = member->get<double>();
  }
  void Read(const char* name, std::array<Range, 3>& ranges) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_array() || member->size() != 4)
      return Fail(absl::StrCat(name, " is no list of four ends"));
    int64_t ends[4];
    for (size_t i = 0; i < 4; ++i) {
      const Json& end = (*member)[i];
      if (!end.is_number_unsigned() || end.get<uint64_t>() > kMaxTokens) {
        return Fail(absl::StrCat(name, "[", i, "] is no count"));
      }
      ends[i] = end.get<int64_t>();
      if (i > 0 && ends[i] < ends[i - 1]) return Fail(absl::StrCat(name, " steps back"));
    }
    for (size_t i = 0; i < 3; ++i) ranges[i] = {ends[i], ends[i + 1]};
  }
  // Lists of numbers or truth values, one of each split.
  template <class T>
  void Read(const char* name, std::array<T, 3>& values) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_array() || member->size() != 3) return Fail(absl::StrCat(name, " is no list of three"));
    for (size_t i = 0; i < 3; ++i) {
      const Json& item = (*member)[i];
      if constexpr (std::is_same_v<T, bool>) {
        if (!item.is_boolean()) return Fail(absl::StrCat(name, "[", i, "] is not true or false"));
        values[i] = item.get<bool>();
      } else {
        if (!item.is_number_unsigned() || item.get<uint64_t>() > kMaxTokens) {
          return Fail(absl::StrCat(name, "[", i, "] is no count"));
        }
        values[i] = item.get<int64_t>();
      }
    }
  }
  void Read(const char* name, bool& value) {
    const Json* member = Find(name);
    if (member == nullptr) return;
    if (!member->is_boolean()) return Fail(absl::StrCat(name, " is not true or false"));
    value = member->get<bool>();
  }
  absl::Status status() const { return status_; }

 private:
  const Json* Find(const char* name) {
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    Fail(absl::StrCat(name, " is missing"));
    return nullptr;
  }
  void Fail(absl::string_view what) {
    if (status_.ok()) status_ = Bad(what);
  }

  const Json& object_;
  absl::Status status_;
};

// The splits of a file follow one another: four ends say it all.
Json Ends(const std::array<Range, 3>& ranges) {
  return {ranges[0].begin, ranges[0].end, ranges[1].end, ranges[2].end};
}

constexpr size_t kMaxSkips = 4096;

// Pairs of begin and end; a plan without them has none.
absl::Status ParseSkip(const Json& plan, std::vector<Range>& skip) {
  const auto member = plan.find("skip");
  if (member == plan.end()) return absl::OkStatus();
  if (!member->is_array() || member->size() > kMaxSkips) return Bad("skip is no list");
  for (const Json& pair : *member) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_unsigned() ||
        !pair[1].is_number_unsigned() || pair[1].get<uint64_t>() > kMaxTokens) {
      return Bad("skip holds what is no pair of samples");
    }
    const Range range{pair[0].get<int64_t>(), pair[1].get<int64_t>()};
    if (range.size() <= 0 || range.begin < (skip.empty() ? 0 : skip.back().end + 1)) {
      return Bad("skip does not rise");
    }
    skip.push_back(range);
  }
  return absl::OkStatus();
}

// What the order's version adds to a source.
absl::Status ParseEpochs(const Json& object, const DataPlan& plan, PlannedSource& source) {
  std::array<int64_t, 3> epochs{};
  std::array<bool, 3> separate{};
  Fields fields(object);
  fields.Read("epochs", epochs);
  fields.Read("separate_last", separate);
  RETURN_IF_ERROR(fields.status());
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
  if (!object.is_object()) return Bad("a source is no object");
  PlannedSource source;
  Fields fields(object);
  fields.Read("path", source.path);
  fields.Read("fingerprint", source.fingerprint);
  fields.Read("weight", source.weight);
  if (!plan.megatron()) fields.Read("share", 1, kMaxPeriod, source.share);
  fields.Read("tokens", 0, kMaxTokens, source.tokens);
  fields.Read("sequences", source.sequences);
  fields.Read("stream", source.stream);
  if (plan.packed()) fields.Read("bins", source.bins);
  RETURN_IF_ERROR(fields.status());
  if (source.stream[2].end > source.tokens) return Bad("stream ends after the source's tokens");
  if (plan.megatron()) RETURN_IF_ERROR(ParseEpochs(object, plan, source));
  for (size_t i = 0; i < source.bins.size(); ++i) {
    if (source.bins[i] > source.stream[i].size()) return Bad("bins are more than the tokens in them");
  }
  return source;
}

}  // namespace

std::string ToJson(const DataPlan& plan) {
  Json sources = Json::array();
  for (const PlannedSource& source : plan.sources) {
    Json json = {{"path", source.path}, {"fingerprint", source.fingerprint}, {"weight", source.weight}};
    if (!plan.megatron()) json["share"] = source.share;
    json["tokens"] = source.tokens;
    json["sequences"] = Ends(source.sequences);
    json["stream"] = Ends(source.stream);
    if (plan.packed()) json["bins"] = source.bins;
    if (plan.megatron()) {
      json["epochs"] = Json::array();
      json["separate_last"] = Json::array();
      for (const MegatronEpochs& epochs : source.epochs) {
        json["epochs"].push_back(epochs.epochs);
        json["separate_last"].push_back(epochs.separate_last);
      }
    }
    sources.push_back(std::move(json));
  }
  Json json = {{"version", plan.version},
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
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<DataPlan> ParseDataPlan(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Bad("no JSON object");
  DataPlan plan;
  Fields fields(json);
  fields.Read("version", plan.version);
  RETURN_IF_ERROR(fields.status());
  if (plan.version != kOrderVersion && !plan.packed() && !plan.dummy() && !plan.megatron()) {
    return absl::UnimplementedError(
        absl::StrCat("data plan: order version ", plan.version, " is not known; this program knows ",
                     kOrderVersion, ", ", kPackedVersion, ", ", kDummyVersion, ", ", kMegatron010, " and ",
                     kMegatron014, "; resume with the version that wrote the checkpoint"));
  }
  fields.Read("seed", INT64_MIN, INT64_MAX, plan.seed);
  fields.Read("sequence_length", 1, int64_t{1} << 31, plan.sequence_length);
  fields.Read("vocab", 0, int64_t{1} << 31, plan.vocab);
  if (plan.megatron()) {
    fields.Read("samples", plan.samples);
    fields.Read("blended", plan.blended);
  } else if (!plan.dummy()) {
    fields.Read("period", 1, kMaxPeriod, plan.period);
  }
  RETURN_IF_ERROR(fields.status());
  RETURN_IF_ERROR(ParseSkip(json, plan.skip));
  const auto sources = json.find("sources");
  if (sources == json.end() || !sources->is_array() || sources->empty() != plan.dummy()) {
    return Bad("sources is no list");
  }
  if (sources->size() > static_cast<size_t>(kMaxSources)) return Bad("sources is too long");
  int64_t shares = 0;
  for (const Json& object : *sources) {
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
    absl::StrAppend(&text, "\n", source.fingerprint, " ", plan.blended ? Json(source.weight).dump() : "", " ",
                    source.sequences[0].begin, " ", source.sequences[0].end, " ", source.epochs[0].epochs,
                    " ", source.epochs[0].separate_last ? "separate" : "joint");
  }
  return text;
}

}  // namespace

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
