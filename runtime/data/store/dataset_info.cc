#include "runtime/data/store/dataset_info.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/store/sealed_json.h"

namespace galley::data {
namespace {

constexpr char kFormat[] = "galley-dataset";
constexpr int64_t kVersion = 1;
constexpr int64_t kMaxInfo = int64_t{256} << 20;

std::string OriginText(const DatasetOrigin& origin) {
  if (origin.tokenizer.empty()) return "null";
  return absl::StrCat("{\"kind\": ", Quoted(origin.tokenizer),
                      ", \"fingerprint\": ", Quoted(origin.fingerprint), ", \"vocab\": ", origin.vocab,
                      ", \"eod\": ", origin.eod.has_value() ? absl::StrCat(*origin.eod) : "null",
                      ", \"append_eod\": ", origin.append_eod ? "true" : "false",
                      // Only where they are set, so that older versions read what they can understand.
                      origin.add_special_tokens ? ", \"add_special_tokens\": true" : "",
                      origin.special_tokens_in_text ? ", \"special_tokens_in_text\": true" : "", "}");
}

bool ReadOrigin(const Json& object, const char* name, DatasetOrigin& origin) {
  const Json* const found = object.Find(name);
  if (found == nullptr) return false;
  if (found->is_null()) return true;
  const Json* const eod = found->Find("eod");
  if (eod == nullptr) return false;
  if (!eod->is_null()) {
    int64_t id = 0;
    if (!ReadMember(*found, "eod", id) || id > INT32_MAX) return false;
    origin.eod = static_cast<int32_t>(id);
  }
  for (const auto& [key, flag] : {std::pair{"add_special_tokens", &origin.add_special_tokens},
                                  std::pair{"special_tokens_in_text", &origin.special_tokens_in_text}}) {
    if (found->contains(key) && !ReadMember(*found, key, *flag)) return false;
  }
  return ReadMember(*found, "append_eod", origin.append_eod) &&
         ReadMember(*found, "kind", origin.tokenizer) &&
         ReadMember(*found, "fingerprint", origin.fingerprint) && ReadMember(*found, "vocab", origin.vocab);
}

bool ReadType(const Json& object, const char* name, TokenType& type) {
  std::string text;
  if (!ReadMember(object, name, text)) return false;
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
    const auto left = static_cast<size_t>(kSumBlock - sums_.bytes % kSumBlock);
    const std::span<const std::byte> part = bytes.first(std::min(left, bytes.size()));
    hash_->Add(part);
    sums_.bytes += static_cast<int64_t>(part.size());
    bytes = bytes.subspan(part.size());
    if (part.size() == left) {
      sums_.blocks.push_back(hash_->Digest());
      hash_.reset();
    }
  }
}

BlockSums BlockHasher::SoFar() const {
  BlockSums sums = sums_;
  if (hash_.has_value()) sums.blocks.push_back(hash_->Digest());
  return sums;
}

void BlockHasher::Continue(const BlockSums& sums) {
  sums_.bytes = sums.bytes / kSumBlock * kSumBlock;
  sums_.blocks.assign(sums.blocks.begin(), sums.blocks.begin() + sums.bytes / kSumBlock);
  hash_.reset();
}

std::string DatasetInfoPath(const std::string& prefix) { return prefix + ".galley.json"; }

std::string ToJson(const DatasetInfo& info) {
  return Seal(absl::StrCat(
      "{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", kVersion,
      ",\n  \"tokenizer\": ", OriginText(info.origin), ",\n  \"token_type\": \"", Name(info.type),
      "\",\n  \"documents\": ", info.documents, ",\n  \"sequences\": ", info.sequences, ",\n  \"tokens\": ",
      info.tokens, info.ids_below.has_value() ? absl::StrCat(",\n  \"ids_below\": ", *info.ids_below) : "",
      ",\n  \"block_bytes\": ", kSumBlock, ",\n  \"idx\": ", SumsText(info.idx),
      ",\n  \"bin\": ", SumsText(info.bin), ",\n"));
}

absl::StatusOr<DatasetInfo> ParseDatasetInfo(absl::string_view text, absl::string_view path) {
  const Sealed expected{
      path, "copy it anew, or remove it: the data set is then read without its checksums and its origin",
      kFormat, kVersion};
  ASSIGN_OR_RETURN(const Json json, Unseal(text, expected));
  int64_t block = 0;
  DatasetInfo info;
  if (!ReadMember(json, "block_bytes", block) || block != kSumBlock ||
      !ReadOrigin(json, "tokenizer", info.origin) || !ReadType(json, "token_type", info.type) ||
      !ReadMember(json, "documents", info.documents) || !ReadMember(json, "sequences", info.sequences) ||
      !ReadMember(json, "tokens", info.tokens) || !ReadMember(json, "idx", info.idx) ||
      !ReadMember(json, "bin", info.bin)) {
    return BadSealed(expected, 0, "a member is missing or of the wrong kind");
  }
  // Newer than version 1, and left out where it is not known.
  if (json.contains("ids_below") && !ReadMember(json, "ids_below", info.ids_below.emplace())) {
    return BadSealed(expected, 0, "ids_below is of the wrong kind");
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
  add(tokenizer::Name(spec.kind));
  for (const std::string& path : tokenizer::FilesOf(spec)) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    add(bytes);
  }
  // Only what differs from the default counts, so that fingerprints of before stay what they were.
  if (!spec.pattern.empty()) add(absl::StrCat("pattern ", spec.pattern));
  if (spec.special_tokens_in_text) add("special_tokens_in_text");
  if (spec.kind == tokenizer::TokenizerKind::kWordPiece && !spec.lowercase) add("cased");
  return Hex(hash.Digest());
}

}  // namespace galley::data
