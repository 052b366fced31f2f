// Any bytes as a line of JSONL, against another JSON parser.
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/check.h"
#include "runtime/data/ingest/jsonl.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view line(reinterpret_cast<const char*>(data), size);
  std::string storage;
  const absl::StatusOr<absl::string_view> ours = galley::data::JsonText(line, "t", storage);
  const auto theirs = nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (theirs.is_discarded()) {
    // They refuse numbers beyond a double, which are JSON all the same.
    const bool number = line.find_first_of("0123456789") != absl::string_view::npos;
    CHECK(!ours.ok() || number) << line;
    return 0;
  }
  const bool text = theirs.is_object() && theirs.contains("t") && theirs["t"].is_string();
  if (ours.ok()) {
    CHECK(text && theirs["t"].get<std::string>() == *ours) << line;
    return 0;
  }
  // Refused by us alone: a byte order mark, a NUL (which ends their text), levels beyond ours, or a first "t"
  // that is no string.
  const bool mark = line.substr(0, 3) == "\xef\xbb\xbf";
  const bool nul = line.find('\0') != absl::string_view::npos;
  const bool deep = ours.status().message().find("levels") != absl::string_view::npos;
  const bool twice = ours.status().message().find("is not a string") != absl::string_view::npos;
  CHECK(!text || mark || nul || deep || twice) << line << " " << ours.status().ToString();
  return 0;
}
