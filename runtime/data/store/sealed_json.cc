#include "runtime/data/store/sealed_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

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
  // The tail has a fixed length, so the checksum is found and compared before anything is parsed: a fault
  // that the parser finds after that is another version's, not damage.
  if (text.size() < kTailBytes) return BadSealed(expected, text.size(), "the file ends before its checksum");
  const absl::string_view body = text.substr(0, text.size() - kTailBytes);
  if (text.substr(body.size()) != absl::StrCat(kTail, Hex(Hash64(body)), kTailEnd)) {
    return BadSealed(expected, body.size(), "the checksum here is not that of the text before it");
  }
  absl::StatusOr<Json> json = ParseJson(text);
  std::string format;
  int64_t version = 0;
  if (!json.ok() || !ReadMember(*json, "format", format) || format != expected.format ||
      !ReadMember(*json, "version", version)) {
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
  using Written = nlohmann::json;
  return Written(std::string(text)).dump(-1, ' ', false, Written::error_handler_t::replace);
}

std::string SumsText(const BlockSums& sums) {
  std::vector<std::string> blocks;
  for (const uint64_t sum : sums.blocks) blocks.push_back(absl::StrCat("\"", Hex(sum), "\""));
  return absl::StrCat("{\"bytes\": ", sums.bytes, ", \"xxh3\": [", absl::StrJoin(blocks, ","), "]}");
}

bool ReadMember(const Json& object, const char* name, int64_t& value) {
  JsonReader reader(object);
  reader.Read(name, value, 0);
  return reader.status().ok();
}

bool ReadMember(const Json& object, const char* name, std::string& value) {
  JsonReader reader(object);
  reader.Read(name, value);
  return reader.status().ok();
}

bool ReadMember(const Json& object, const char* name, bool& value) {
  JsonReader reader(object);
  reader.Read(name, value);
  return reader.status().ok();
}

bool ReadMember(const Json& object, const char* name, BlockSums& sums) {
  const Json* const found = object.Find(name);
  if (found == nullptr || !ReadMember(*found, "bytes", sums.bytes)) return false;
  const Json* const blocks = found->Find("xxh3");
  if (blocks == nullptr || !blocks->is_array()) return false;
  const int64_t needed = sums.bytes / kSumBlock + (sums.bytes % kSumBlock != 0);
  if (static_cast<int64_t>(blocks->items.size()) != needed) return false;
  for (const Json& block : blocks->items) {
    if (block.kind != Json::Kind::kString || block.text.size() != 16) return false;
    uint64_t sum = 0;
    for (const char c : block.text) {
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return false;
      sum = sum << 4 | static_cast<uint64_t>(digit);
    }
    sums.blocks.push_back(sum);
  }
  return true;
}

}  // namespace galley::data
