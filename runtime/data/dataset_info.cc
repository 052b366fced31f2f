#include "runtime/data/dataset_info.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kFormat[] = "galley-dataset";
constexpr int64_t kVersion = 1;
// The text ends with the checksum of all that stands before this line.
constexpr char kTail[] = "  \"xxh3\": \"";
constexpr char kTailEnd[] = "\"\n}\n";
constexpr size_t kTailBytes = sizeof(kTail) - 1 + 16 + sizeof(kTailEnd) - 1;
constexpr int64_t kMaxInfo = int64_t{256} << 20;

std::string SumsText(const BlockSums& sums) {
  std::vector<std::string> blocks;
  for (const uint64_t sum : sums.blocks) blocks.push_back(absl::StrCat("\"", Hex(sum), "\""));
  return absl::StrCat("{\"bytes\": ", sums.bytes, ", \"xxh3\": [", absl::StrJoin(blocks, ","), "]}");
}

std::string OriginText(const DatasetOrigin& origin) {
  if (origin.tokenizer.empty()) return "null";
  return absl::StrCat("{\"kind\": ", Json(origin.tokenizer).dump(),
                      ", \"fingerprint\": ", Json(origin.fingerprint).dump(), ", \"vocab\": ", origin.vocab,
                      ", \"eod\": ", origin.eod.has_value() ? absl::StrCat(*origin.eod) : "null",
                      ", \"append_eod\": ", origin.append_eod ? "true" : "false",
                      // Only where they are set, so that older versions read what they can understand.
                      origin.add_special_tokens ? ", \"add_special_tokens\": true" : "",
                      origin.special_tokens_in_text ? ", \"special_tokens_in_text\": true" : "", "}");
}

// A checksummed text holds what we wrote, so a member that is missing is another version's doing.
bool Read(const Json& object, const char* name, int64_t& value) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return false;
  if (found->get<uint64_t>() > INT64_MAX) return false;
  value = found->get<int64_t>();
  return true;
}

bool Read(const Json& object, const char* name, std::string& value) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return false;
  value = found->get<std::string>();
  return true;
}

bool Read(const Json& object, const char* name, BlockSums& sums) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_object() || !Read(*found, "bytes", sums.bytes)) return false;
  const auto blocks = found->find("xxh3");
  if (blocks == found->end() || !blocks->is_array()) return false;
  if (static_cast<int64_t>(blocks->size()) != sums.bytes / kSumBlock + (sums.bytes % kSumBlock != 0)) {
    return false;
  }
  for (const Json& block : *blocks) {
    if (!block.is_string() || block.get_ref<const std::string&>().size() != 16) return false;
    uint64_t sum = 0;
    for (const char c : block.get_ref<const std::string&>()) {
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return false;
      sum = sum << 4 | static_cast<uint64_t>(digit);
    }
    sums.blocks.push_back(sum);
  }
  return true;
}

bool Read(const Json& object, const char* name, DatasetOrigin& origin) {
  const auto found = object.find(name);
  if (found == object.end()) return false;
  if (found->is_null()) return true;
  if (!found->is_object()) return false;
  const auto eod = found->find("eod");
  const auto append = found->find("append_eod");
  if (eod == found->end() || append == found->end() || !append->is_boolean()) return false;
  int64_t id = 0;
  if (!eod->is_null()) {
    if (!Read(*found, "eod", id) || id > INT32_MAX) return false;
    origin.eod = static_cast<int32_t>(id);
  }
  origin.append_eod = append->get<bool>();
  for (const auto& [key, flag] : {std::pair{"add_special_tokens", &origin.add_special_tokens},
                                  std::pair{"special_tokens_in_text", &origin.special_tokens_in_text}}) {
    const auto at = found->find(key);
    if (at == found->end()) continue;
    if (!at->is_boolean()) return false;
    *flag = at->get<bool>();
  }
  return Read(*found, "kind", origin.tokenizer) && Read(*found, "fingerprint", origin.fingerprint) &&
         Read(*found, "vocab", origin.vocab);
}

bool Read(const Json& object, const char* name, TokenType& type) {
  std::string text;
  if (!Read(object, name, text)) return false;
  for (int code = 1; code <= 8; ++code) {
    type = static_cast<TokenType>(code);
    if (Name(type) == text) return true;
  }
  return false;
}

}  // namespace

void BlockHasher::Add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (!hash_.has_value()) hash_.emplace();
    const auto room = static_cast<size_t>(kSumBlock - sums_.bytes % kSumBlock);
    const std::span<const std::byte> part = bytes.first(std::min(room, bytes.size()));
    hash_->Add(part);
    sums_.bytes += static_cast<int64_t>(part.size());
    bytes = bytes.subspan(part.size());
    if (part.size() == room) {
      sums_.blocks.push_back(hash_->Digest());
      hash_.reset();
    }
  }
}

BlockSums BlockHasher::Finish() {
  if (hash_.has_value()) sums_.blocks.push_back(hash_->Digest());
  hash_.reset();
  return std::move(sums_);
}

std::string DatasetInfoPath(const std::string& prefix) { return prefix + ".galley.json"; }

std::string ToJson(const DatasetInfo& info) {
  std::string text = absl::StrCat("{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", kVersion,
                                  ",\n  \"tokenizer\": ", OriginText(info.origin), ",\n  \"token_type\": \"",
                                  Name(info.type), "\",\n  \"documents\": ", info.documents,
                                  ",\n  \"sequences\": ", info.sequences, ",\n  \"tokens\": ", info.tokens,
                                  ",\n  \"block_bytes\": ", kSumBlock, ",\n  \"idx\": ", SumsText(info.idx),
                                  ",\n  \"bin\": ", SumsText(info.bin), ",\n");
  absl::StrAppend(&text, kTail, Hex(Hash64(text)), kTailEnd);
  return text;
}

absl::StatusOr<DatasetInfo> ParseDatasetInfo(absl::string_view text, absl::string_view path) {
  const std::string remedy = absl::StrCat(
      "; copy it anew, or remove it: the data set is then read without its checksums and its origin");
  const auto bad = [&](size_t offset, absl::string_view what) {
    return absl::DataLossError(absl::StrCat(path, ": offset ", offset, ": ", what, remedy));
  };
  if (text.size() < kTailBytes) return bad(text.size(), "the file ends before its checksum");
  const absl::string_view body = text.substr(0, text.size() - kTailBytes);
  if (text.substr(body.size()) != absl::StrCat(kTail, Hex(Hash64(body)), kTailEnd)) {
    return bad(body.size(), "the checksum here is not that of the text before it");
  }
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  std::string format;
  int64_t version = 0;
  if (!json.is_object() || !Read(json, "format", format) || format != kFormat ||
      !Read(json, "version", version)) {
    return bad(0, "no metadata of a data set");
  }
  int64_t block = 0;
  if (version != kVersion || !Read(json, "block_bytes", block) || block != kSumBlock) {
    return absl::UnimplementedError(absl::StrCat(path, ": version ", version,
                                                 " of the metadata; this Galley reads version ", kVersion,
                                                 ": use the one that wrote it", remedy));
  }
  DatasetInfo info;
  if (!Read(json, "tokenizer", info.origin) || !Read(json, "token_type", info.type) ||
      !Read(json, "documents", info.documents) || !Read(json, "sequences", info.sequences) ||
      !Read(json, "tokens", info.tokens) || !Read(json, "idx", info.idx) || !Read(json, "bin", info.bin)) {
    return bad(0, "a member is missing or of the wrong kind");
  }
  return info;
}

absl::StatusOr<std::optional<DatasetInfo>> ReadDatasetInfo(const std::string& prefix) {
  const std::string path = DatasetInfoPath(prefix);
  if (!FileExists(path)) return std::optional<DatasetInfo>();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxInfo));
  ASSIGN_OR_RETURN(DatasetInfo info, ParseDatasetInfo(text, path));
  return std::optional<DatasetInfo>(std::move(info));
}

absl::Status CheckDatasetInfo(const IndexedDataset& dataset, const DatasetInfo& info) {
  const auto differs = [&](absl::string_view file, absl::string_view what, int64_t has, int64_t wrote) {
    return absl::DataLossError(absl::StrCat(
        file, ": it has ", has, " ", what, ", and ", wrote, " when it was written (",
        DatasetInfoPath(dataset.prefix()), "); copy the data set anew, all its files; if another tool made ",
        "it again on purpose, remove ", BaseName(DatasetInfoPath(dataset.prefix()))));
  };
  const int64_t bin_bytes = dataset.tokens() * ItemSize(dataset.type());
  if (bin_bytes != info.bin.bytes) return differs(dataset.bin_path(), "bytes", bin_bytes, info.bin.bytes);
  const auto idx_bytes = static_cast<int64_t>(dataset.index_bytes().size());
  if (idx_bytes != info.idx.bytes) return differs(dataset.idx_path(), "bytes", idx_bytes, info.idx.bytes);
  if (dataset.type() != info.type) {
    return differs(dataset.idx_path(), "as its token type code", static_cast<int>(dataset.type()),
                   static_cast<int>(info.type));
  }
  if (dataset.sequences() != info.sequences) {
    return differs(dataset.idx_path(), "sequences", dataset.sequences(), info.sequences);
  }
  if (dataset.documents() != info.documents) {
    return differs(dataset.idx_path(), "documents", dataset.documents(), info.documents);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TokenizerFingerprint(const tokenizer::TokenizerSpec& spec) {
  Hasher hash;
  const auto add = [&hash](absl::string_view bytes) {
    const uint64_t size = bytes.size();  // keeps the end of one from being the beginning of the next
    hash.Add(std::as_bytes(std::span(&size, 1)));
    hash.Add(std::as_bytes(std::span(bytes.data(), bytes.size())));
  };
  add(spec.kind);
  for (const std::string& path : tokenizer::FilesOf(spec)) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    add(bytes);
  }
  // Only what differs from the default counts, so that fingerprints of before stay what they were.
  if (!spec.pattern.empty()) add(absl::StrCat("pattern ", spec.pattern));
  if (spec.special_tokens_in_text) add("special_tokens_in_text");
  if (spec.kind == "wordpiece" && !spec.lowercase) add("cased");
  return Hex(hash.Digest());
}

}  // namespace galley::data
