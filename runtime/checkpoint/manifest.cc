#include "runtime/checkpoint/manifest.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/hash.h"
#include "runtime/base/json.h"
#include "runtime/base/status.h"
#include "runtime/base/utf8.h"
#include "runtime/checkpoint/safetensors.h"

namespace galley::checkpoint {
namespace {

constexpr char kFormat[] = "galley-checkpoint";
// The text ends with the checksum of all that precedes this line.
constexpr char kTail[] = "  \"xxh3\": \"";
constexpr char kTailEnd[] = "\"\n}\n";
constexpr size_t kTailBytes = sizeof(kTail) - 1 + 16 + sizeof(kTailEnd) - 1;
constexpr int kFactDepth = 8;

absl::StatusOr<std::string> FactsText(const Facts& facts, absl::string_view section) {
  std::vector<std::string> lines;
  for (const auto& [key, text] : facts) {
    auto value = ParseJson(text, {.depth = kFactDepth});
    if (!value.ok() || !IsValidUtf8(key)) {
      return absl::InvalidArgumentError(absl::StrCat(section, " ", key, ": not JSON: ", text));
    }
    lines.push_back(absl::StrCat("    ", JsonString(key), ": ", value->Dump()));
  }
  return lines.empty() ? "{}" : absl::StrCat("{\n", absl::StrJoin(lines, ",\n"), "\n  }");
}

std::string TensorText(const TensorEntry& entry) {
  std::vector<std::string> parts;
  for (const TensorPart& part : entry.parts) {
    parts.push_back(absl::StrCat("[", part.shard, ",[", absl::StrJoin(part.slice.begin, ","), "],[",
                                 absl::StrJoin(part.slice.size, ","), "]]"));
  }
  return absl::StrCat("{\"dtype\": \"", SafetensorsName(entry.dtype), "\", \"shape\": [",
                      absl::StrJoin(entry.shape, ","), "], \"parts\": [", absl::StrJoin(parts, ","), "]}");
}

// Orders the parts by where they begin, and finds what can not be of a tensor that is whole.
absl::Status CheckCover(TensorEntry& entry) {
  if (entry.shape.size() > plan::Slice::kMaxDims) {
    return absl::DataLossError(
        absl::StrCat(entry.shape.size(), " dimensions; at most ", plan::Slice::kMaxDims, " are allowed"));
  }
  // Later sums and products are of such numbers, zeros left out, so none of them can overflow.
  int64_t bytes = SizeOf(entry.dtype);
  for (int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes)) {
      return absl::DataLossError(absl::StrCat("shape [", absl::StrJoin(entry.shape, ","), "] overflows"));
    }
  }
  std::vector<plan::Slice> slices;
  const bool empty = plan::Slice::Whole(entry.shape).elements() == 0;
  for (const TensorPart& part : entry.parts) {
    if (!part.slice.Within(entry.shape) || (!empty && part.slice.elements() == 0)) {
      return absl::DataLossError(absl::StrCat(
          "shard ", part.shard, " holds size [", absl::StrJoin(part.slice.size, ","), "] at [",
          absl::StrJoin(part.slice.begin, ","), "], not a slice of [", absl::StrJoin(entry.shape, ","), "]"));
    }
    slices.push_back(part.slice);
  }
  if (empty && (slices.size() != 1 || slices[0].size != entry.shape)) {
    return absl::DataLossError(
        absl::StrCat("has no elements and is in ", slices.size(), " shards, not whole in 1"));
  }
  if (const auto fault = plan::FirstMiscounted(entry.shape, slices); fault.has_value()) {
    return absl::DataLossError(
        absl::StrCat("element [", absl::StrJoin(fault->element, ","), "] is in ",
                     fault->times == 0 ? "no shard" : absl::StrCat(fault->times, " slices, not in 1")));
  }
  std::sort(entry.parts.begin(), entry.parts.end(), [](const TensorPart& a, const TensorPart& b) {
    return std::tie(a.slice.begin, a.shard) < std::tie(b.slice.begin, b.shard);
  });
  return absl::OkStatus();
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

// Of version 2: [shard, [begin, ...], [size, ...]].
absl::Status ReadPart(const Json& json, TensorPart& out) {
  if (json.items.size() != 3 || json.items[0].kind != Json::Kind::kInt ||
      json.items[1].kind != Json::Kind::kArray || json.items[2].kind != Json::Kind::kArray) {
    return Bad(absl::StrCat("part ", json.Dump(), " is not [shard, [begin], [size]]"));
  }
  RETURN_IF_ERROR(ReadCounts(json.items[1], out.slice.begin));
  return ReadCounts(json.items[2], out.slice.size);
}

// Of version 1: [shard, first row, rows]. A scalar has one row.
absl::Status ReadRows(const Json& json, const std::vector<int64_t>& shape, TensorPart& out) {
  std::vector<int64_t> numbers;
  RETURN_IF_ERROR(ReadCounts(json, numbers));
  if (numbers.size() != 3 || (shape.empty() && (numbers[1] != 0 || numbers[2] != 1))) {
    return Bad(absl::StrCat("part ", json.Dump(), " is not [shard, first row, rows]"));
  }
  out.slice = plan::Slice::Whole(shape);
  if (shape.empty()) return absl::OkStatus();
  out.slice.begin[0] = numbers[1];
  out.slice.size[0] = numbers[2];
  return absl::OkStatus();
}

absl::Status ReadTensor(const Json& json, int64_t version, const std::string& name, Manifest& manifest) {
  TensorEntry entry;
  ASSIGN_OR_RETURN(const Json* dtype, Member(json, "dtype", Json::Kind::kString));
  ASSIGN_OR_RETURN(const Json* shape, Member(json, "shape", Json::Kind::kArray));
  ASSIGN_OR_RETURN(const Json* parts, Member(json, "parts", Json::Kind::kArray));
  const std::optional<DType> known = DTypeOfSafetensors(dtype->text);
  if (!known.has_value()) return Bad(absl::StrCat("dtype ", dtype->text));
  entry.dtype = *known;
  RETURN_IF_ERROR(ReadCounts(*shape, entry.shape));
  for (const Json& item : parts->items) {
    TensorPart part;
    RETURN_IF_ERROR(version == 1 ? ReadRows(item, entry.shape, part) : ReadPart(item, part));
    // Compared before it is narrowed: a huge number must not wrap around to a shard that exists.
    const int64_t shard = item.items[0].integer;
    if (shard < 0 || shard >= static_cast<int64_t>(manifest.shards.size())) {
      return Bad(absl::StrCat("part ", item.Dump(), " of ", manifest.shards.size(), " shards"));
    }
    part.shard = static_cast<int>(shard);
    manifest.shards[static_cast<size_t>(part.shard)].tensors.push_back(name);
    entry.parts.push_back(std::move(part));
  }
  RETURN_IF_ERROR(CheckCover(entry));
  manifest.tensors[name] = std::move(entry);
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
    if (!IsValidUtf8(name))
      return absl::InvalidArgumentError(absl::StrCat("tensor name ", name, ": not UTF-8"));
    tensors.push_back(absl::StrCat("    ", JsonString(name), ": ", TensorText(entry)));
  }
  std::string text =
      absl::StrCat("{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", kManifestVersion,
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
  if (version < 1 || version > kManifestVersion) {
    return absl::FailedPreconditionError(absl::StrCat("version ", version,
                                                      "; this Galley reads versions 1 to ", kManifestVersion,
                                                      ": use the one that wrote it"));
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
  for (const auto& [name, value] : tensors->members) {
    RETURN_IF_ERROR(Annotate(ReadTensor(value, version, name, manifest), absl::StrCat("tensor ", name)));
  }
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
      it->second.parts.push_back({static_cast<int>(s), part.slice});
    }
  }
  for (auto& [name, entry] : tensors) {
    RETURN_IF_ERROR(Annotate(CheckCover(entry), absl::StrCat("tensor ", name)));
  }
  return tensors;
}

}  // namespace galley::checkpoint
