#include "runtime/checkpoint/manifest.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/json.h"
#include "runtime/checkpoint/safetensors.h"

namespace galley::checkpoint {
namespace {

constexpr char kFormat[] = "galley-checkpoint";
// The text ends with the checksum of all that stands before this line.
constexpr char kTail[] = "  \"xxh3\": \"";
constexpr char kTailEnd[] = "\"\n}\n";
constexpr size_t kTailBytes = sizeof(kTail) - 1 + 16 + sizeof(kTailEnd) - 1;
constexpr int kFactDepth = 8;

absl::StatusOr<std::string> FactsText(const Facts& facts, absl::string_view section) {
  std::vector<std::string> lines;
  for (const auto& [key, text] : facts) {
    auto value = ParseJson(text, {.depth = kFactDepth});
    if (!value.ok() || !ValidUtf8(key)) {
      return absl::InvalidArgumentError(absl::StrCat(section, " ", key, ": not JSON: ", text));
    }
    lines.push_back(absl::StrCat("    ", JsonString(key), ": ", value->Dump()));
  }
  return lines.empty() ? "{}" : absl::StrCat("{\n", absl::StrJoin(lines, ",\n"), "\n  }");
}

std::string TensorText(const TensorEntry& entry) {
  std::vector<std::string> parts;
  for (const TensorPart& part : entry.parts) {
    parts.push_back(absl::StrCat("[", part.shard, ",", part.row_begin, ",", part.rows, "]"));
  }
  return absl::StrCat("{\"dtype\": \"", SafetensorsName(entry.dtype), "\", \"shape\": [",
                      absl::StrJoin(entry.shape, ","), "], \"parts\": [", absl::StrJoin(parts, ","), "]}");
}

absl::Status Bad(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("not a manifest: ", what));
}

absl::StatusOr<const Json*> Member(const Json& json, absl::string_view key, Json::Kind kind) {
  const Json* value = json.Find(key);
  if (value == nullptr || value->kind != kind)
    return Bad(absl::StrCat(key, " is missing or of the wrong kind"));
  return value;
}

absl::StatusOr<int64_t> Count(const Json& json, absl::string_view key) {
  ASSIGN_OR_RETURN(const Json* value, Member(json, key, Json::Kind::kInt));
  if (value->integer < 0) return Bad(absl::StrCat(key, " is ", value->integer));
  return value->integer;
}

absl::Status ReadCounts(const Json& json, std::vector<int64_t>& out) {
  for (const Json& item : json.items) {
    if (item.kind != Json::Kind::kInt || item.integer < 0)
      return Bad(absl::StrCat(item.Dump(), " as a size"));
    out.push_back(item.integer);
  }
  return absl::OkStatus();
}

absl::Status ReadFacts(const Json& json, Facts& out) {
  for (const auto& [key, value] : json.members) out[key] = value.Dump();
  return absl::OkStatus();
}

absl::Status ReadShards(const Json& json, Manifest& manifest) {
  std::set<std::string> seen;
  for (const Json& item : json.items) {
    ShardReport shard;
    ASSIGN_OR_RETURN(const Json* file, Member(item, "file", Json::Kind::kString));
    ASSIGN_OR_RETURN(shard.bytes, Count(item, "bytes"));
    ASSIGN_OR_RETURN(const Json* xxh3, Member(item, "xxh3", Json::Kind::kString));
    shard.file = file->text;
    shard.xxh3 = xxh3->text;
    const int rank = static_cast<int>(manifest.shards.size());
    const std::string expected = ShardFileName(rank, static_cast<int>(json.items.size()));
    // Also keeps a hostile name from pointing out of the folder.
    if (shard.file != expected)
      return Bad(absl::StrCat("shard ", shard.file, " where ", expected, " belongs"));
    if (__builtin_add_overflow(manifest.bytes, shard.bytes, &manifest.bytes)) return Bad("sizes overflow");
    manifest.shards.push_back(std::move(shard));
  }
  return absl::OkStatus();
}

absl::Status ReadTensors(const Json& json, Manifest& manifest) {
  for (const auto& [name, value] : json.members) {
    TensorEntry entry;
    ASSIGN_OR_RETURN(const Json* dtype, Member(value, "dtype", Json::Kind::kString));
    ASSIGN_OR_RETURN(const Json* shape, Member(value, "shape", Json::Kind::kArray));
    ASSIGN_OR_RETURN(const Json* parts, Member(value, "parts", Json::Kind::kArray));
    const std::optional<DType> known = DTypeOfSafetensors(dtype->text);
    if (!known.has_value()) return Bad(absl::StrCat("tensor ", name, ": dtype ", dtype->text));
    entry.dtype = *known;
    RETURN_IF_ERROR(ReadCounts(*shape, entry.shape));
    for (const Json& item : parts->items) {
      std::vector<int64_t> numbers;
      RETURN_IF_ERROR(ReadCounts(item, numbers));
      if (numbers.size() != 3 || numbers[0] >= static_cast<int64_t>(manifest.shards.size())) {
        return Bad(absl::StrCat("tensor ", name, ": part ", item.Dump()));
      }
      entry.parts.push_back({static_cast<int>(numbers[0]), numbers[1], numbers[2]});
      manifest.shards[static_cast<size_t>(numbers[0])].tensors.push_back(name);
    }
    manifest.tensors[name] = std::move(entry);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ManifestText(const Manifest& manifest) {
  ASSIGN_OR_RETURN(std::string state, FactsText(manifest.info.state, "state"));
  Facts origin_facts = manifest.info.origin;
  origin_facts["attempt"] = Fact(manifest.info.attempt);
  ASSIGN_OR_RETURN(std::string origin, FactsText(origin_facts, "origin"));
  std::vector<std::string> shards;
  for (const ShardReport& shard : manifest.shards) {
    shards.push_back(absl::StrCat("    {\"file\": ", JsonString(shard.file), ", \"bytes\": ", shard.bytes,
                                  ", \"xxh3\": ", JsonString(shard.xxh3), "}"));
  }
  std::vector<std::string> tensors;
  for (const auto& [name, entry] : manifest.tensors) {
    if (!ValidUtf8(name))
      return absl::InvalidArgumentError(absl::StrCat("tensor name ", name, ": not UTF-8"));
    tensors.push_back(absl::StrCat("    ", JsonString(name), ": ", TensorText(entry)));
  }
  std::string text =
      absl::StrCat("{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", manifest.version,
                   ",\n  \"step\": ", manifest.info.step, ",\n  \"state\": ", state,
                   ",\n  \"origin\": ", origin, ",\n  \"shards\": [\n", absl::StrJoin(shards, ",\n"),
                   "\n  ],\n  \"tensors\": {\n", absl::StrJoin(tensors, ",\n"), "\n  },\n");
  absl::StrAppend(&text, kTail, Hex(Hash64(text)), kTailEnd);
  return text;
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view text) {
  if (text.size() < kTailBytes) return Bad(absl::StrCat("ends after ", text.size(), " bytes"));
  const absl::string_view body = text.substr(0, text.size() - kTailBytes);
  const absl::string_view sum = text.substr(body.size() + sizeof(kTail) - 1, 16);
  if (text.substr(body.size()) != absl::StrCat(kTail, sum, kTailEnd)) {
    return Bad(absl::StrCat("no checksum in its last lines, at byte ", body.size()));
  }
  if (const std::string real = Hex(Hash64(body)); real != sum) {
    return absl::DataLossError(
        absl::StrCat("checksum differs in bytes 0-", body.size(), ": says ", sum, ", is ", real));
  }
  auto parsed = ParseJson(text, {.depth = kFactDepth + 2});
  if (!parsed.ok()) return Bad(parsed.status().message());
  ASSIGN_OR_RETURN(const Json* format, Member(*parsed, "format", Json::Kind::kString));
  if (format->text != kFormat) return Bad(absl::StrCat("format ", format->text));
  Manifest manifest;
  ASSIGN_OR_RETURN(int64_t version, Count(*parsed, "version"));
  if (version != kManifestVersion) {
    return absl::FailedPreconditionError(absl::StrCat("version ", version, "; this Galley reads version ",
                                                      kManifestVersion, ": use the one that wrote it"));
  }
  ASSIGN_OR_RETURN(manifest.info.step, Count(*parsed, "step"));
  ASSIGN_OR_RETURN(const Json* state, Member(*parsed, "state", Json::Kind::kObject));
  ASSIGN_OR_RETURN(const Json* origin, Member(*parsed, "origin", Json::Kind::kObject));
  ASSIGN_OR_RETURN(const Json* shards, Member(*parsed, "shards", Json::Kind::kArray));
  ASSIGN_OR_RETURN(const Json* tensors, Member(*parsed, "tensors", Json::Kind::kObject));
  RETURN_IF_ERROR(ReadFacts(*state, manifest.info.state));
  RETURN_IF_ERROR(ReadFacts(*origin, manifest.info.origin));
  ASSIGN_OR_RETURN(manifest.info.attempt, Count(*origin, "attempt"));
  manifest.info.origin.erase("attempt");
  RETURN_IF_ERROR(ReadShards(*shards, manifest));
  RETURN_IF_ERROR(ReadTensors(*tensors, manifest));
  return manifest;
}

absl::StatusOr<std::map<std::string, TensorEntry>> AssembleTensors(const std::vector<ShardIndex>& shards) {
  std::map<std::string, TensorEntry> tensors;
  for (size_t s = 0; s < shards.size(); ++s) {
    for (const ShardPart& part : shards[s].parts) {
      auto [it, fresh] = tensors.try_emplace(part.name, TensorEntry{part.dtype, part.shape, {}});
      if (!fresh && (it->second.dtype != part.dtype || it->second.shape != part.shape)) {
        return absl::DataLossError(absl::StrCat("tensor ", part.name, ": shard ", s,
                                                " disagrees with another about its type or shape"));
      }
      it->second.parts.push_back({static_cast<int>(s), part.row_begin, part.rows});
    }
  }
  for (auto& [name, entry] : tensors) {
    std::sort(entry.parts.begin(), entry.parts.end(),
              [](const TensorPart& a, const TensorPart& b) { return a.row_begin < b.row_begin; });
    int64_t at = 0;
    for (const TensorPart& part : entry.parts) {
      if (part.row_begin != at || (part.rows == 0 && entry.parts.size() > 1)) {
        return absl::DataLossError(absl::StrCat("tensor ", name, ": shard ", part.shard, " holds rows ",
                                                part.row_begin, "-", part.row_begin + part.rows,
                                                " where row ", at, " comes next"));
      }
      at += part.rows;
    }
    if (at != RowsOf(entry.shape)) {
      return absl::DataLossError(
          absl::StrCat("tensor ", name, ": rows from ", at, " of ", RowsOf(entry.shape), " are in no shard"));
    }
  }
  return tensors;
}

}  // namespace galley::checkpoint
