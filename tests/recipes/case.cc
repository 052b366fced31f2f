#include "tests/recipes/case.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

std::string Expand(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (absl::StartsWith(text, "%{")) {
      const size_t colon = text.find(':'), end = text.find('}', colon);
      int count = 0;
      CHECK(end != absl::string_view::npos && absl::SimpleAtoi(text.substr(2, colon - 2), &count));
      for (int i = 0; i < count; ++i) out += std::string(text.substr(colon + 1, end - colon - 1));
      text.remove_prefix(end + 1);
    } else if (absl::StartsWith(text, "\\x")) {
      out += absl::HexStringToBytes(text.substr(2, 2));
      text.remove_prefix(4);
    } else {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

void TakePart(const std::string& kind, const std::string& argument, const std::string& body,
              RecipeCase& out) {
  const auto lines = [&] { return std::vector<std::string>(absl::StrSplit(body, '\n', absl::SkipEmpty())); };
  if (kind == "file") {
    out.files.push_back({argument, body});
  } else if (kind == "bytes") {
    out.files.push_back({argument, Expand(absl::StripSuffix(body, "\n"))});
  } else if (kind == "sets") {
    out.sets = lines();
  } else if (kind == "expect") {
    out.expect = body;
  } else if (kind == "origins") {
    out.origins = body;
  } else {
    CHECK_EQ(kind, "has");
    out.has = lines();
  }
}

}  // namespace

RecipeCase ReadCase(const std::string& path) {
  const auto text = ReadFile(path);
  CHECK(text.ok()) << text.status();
  RecipeCase out;
  std::string kind, argument, body;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::ConsumePrefix(&line, "--- ")) {
      if (!kind.empty()) TakePart(kind, argument, body, out);
      const std::pair<std::string, std::string> head = absl::StrSplit(line, absl::MaxSplits(' ', 1));
      kind = head.first;
      argument = head.second;
      body.clear();
    } else {
      body += std::string(line) + "\n";
    }
  }
  // The file's last newline is not an empty line of the last part.
  if (!body.empty()) body.pop_back();
  TakePart(kind, argument, body, out);
  return out;
}

}  // namespace galley
