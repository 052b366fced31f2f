#include <charconv>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/json.h"
#include "runtime/checkpoint/checkpoint.h"

namespace galley::checkpoint {
namespace {

absl::StatusOr<Json> Read(const Facts& facts, const std::string& key) {
  auto it = facts.find(key);
  if (it == facts.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the manifest has no \"", key, "\"; it is of another version or not of a training run"));
  }
  return ParseJson(it->second);
}

absl::Status WrongKind(const Facts& facts, const std::string& key, absl::string_view wanted) {
  return absl::FailedPreconditionError(
      absl::StrCat("the manifest's \"", key, "\" is ", facts.at(key), ", not ", wanted));
}

}  // namespace

std::string Fact(int64_t value) { return absl::StrCat(value); }

std::string Fact(double value) {
  CHECK(std::isfinite(value)) << "JSON has no " << value;
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

std::string Fact(absl::string_view text) { return JsonString(text); }

absl::StatusOr<int64_t> IntFact(const Facts& facts, const std::string& key) {
  auto json = Read(facts, key);
  if (!json.ok()) return json.status();
  if (json->kind != Json::Kind::kInt) return WrongKind(facts, key, "a whole number");
  return json->integer;
}

absl::StatusOr<double> DoubleFact(const Facts& facts, const std::string& key) {
  auto json = Read(facts, key);
  if (!json.ok()) return json.status();
  if (json->kind == Json::Kind::kInt) return static_cast<double>(json->integer);
  double value = 0;
  if (json->kind != Json::Kind::kNumber || !absl::SimpleAtod(json->text, &value)) {
    return WrongKind(facts, key, "a number");
  }
  return value;
}

absl::StatusOr<std::string> TextFact(const Facts& facts, const std::string& key) {
  auto json = Read(facts, key);
  if (!json.ok()) return json.status();
  if (json->kind != Json::Kind::kString) return WrongKind(facts, key, "a text");
  return json->text;
}

}  // namespace galley::checkpoint
