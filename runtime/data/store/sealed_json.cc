#include "runtime/data/store/sealed_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kTail[] = "  \"xxh3\": \"";
constexpr char kTailEnd[] = "\"\n}\n";
constexpr size_t kTailBytes = sizeof(kTail) - 1 + 16 + sizeof(kTailEnd) - 1;

}  // namespace

std::string Seal(std::string body) {
  absl::StrAppend(&body, kTail, Hex(Hash64(body)), kTailEnd);
  return body;
}

absl::Status BadSealed(const Sealed& expected, size_t offset, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(expected.path, ": offset ", offset, ": ", what, "; ", expected.remedy));
}

absl::StatusOr<Json> Unseal(absl::string_view text, const Sealed& expected) {
  if (text.size() < kTailBytes) return BadSealed(expected, text.size(), "the file ends before its checksum");
  const absl::string_view body = text.substr(0, text.size() - kTailBytes);
  if (text.substr(body.size()) != absl::StrCat(kTail, Hex(Hash64(body)), kTailEnd)) {
    return BadSealed(expected, body.size(), "the checksum here is not that of the text before it");
  }
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  std::string format;
  int64_t version = 0;
  if (!json.is_object() || !ReadMember(json, "format", format) || format != expected.format ||
      !ReadMember(json, "version", version)) {
    return BadSealed(expected, 0, absl::StrCat("no text of format ", expected.format));
  }
  if (version != expected.version) {
    return absl::UnimplementedError(absl::StrCat(
        expected.path, ": version ", version, " of ", expected.format, "; this Galley reads version ",
        expected.version, ": use the one that wrote it, or ", expected.remedy));
  }
  return json;
}

std::string Quoted(absl::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string SumsText(const BlockSums& sums) {
  std::vector<std::string> blocks;
  for (const uint64_t sum : sums.blocks) blocks.push_back(absl::StrCat("\"", Hex(sum), "\""));
  return absl::StrCat("{\"bytes\": ", sums.bytes, ", \"xxh3\": [", absl::StrJoin(blocks, ","), "]}");
}

bool ReadMember(const Json& object, const char* name, int64_t& value) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return false;
  if (found->get<uint64_t>() > INT64_MAX) return false;
  value = found->get<int64_t>();
  return true;
}

bool ReadMember(const Json& object, const char* name, std::string& value) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return false;
  value = found->get<std::string>();
  return true;
}

bool ReadMember(const Json& object, const char* name, bool& value) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_boolean()) return false;
  value = found->get<bool>();
  return true;
}

bool ReadMember(const Json& object, const char* name, BlockSums& sums) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_object() || !ReadMember(*found, "bytes", sums.bytes)) return false;
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

}  // namespace galley::data
