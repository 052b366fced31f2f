#include "tests/changing/count.h"

#include <algorithm>
#include <filesystem>
#include <regex>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

namespace fs = std::filesystem;

bool Begins(const std::string& path, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& b) { return absl::StartsWith(path, b); });
}

bool IsProduct(const fs::path& path) {
  static const std::regex test("(_test|_fuzz|_bench)\\.cc$|test[^/]*\\.h$|/fake_[^/]*/|/steady/");
  const std::string ext = path.extension(), text = path.string();
  const bool source = ext == ".cc" || ext == ".h" || ext == ".cu" || ext == ".proto";
  return (source || path.filename() == "CMakeLists.txt") && !std::regex_search(text, test);
}

// Without what follows // or, in CMake, #.
std::string Code(std::string line, bool cmake) {
  const size_t comment = line.find(cmake ? "#" : "//");
  return comment == std::string::npos ? line : line.substr(0, comment);
}

int Matches(const std::string& text, const std::regex& pattern, bool cmake) {
  int lines = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    lines += std::regex_search(Code(std::string(line), cmake), pattern) ? 1 : 0;
  }
  return lines;
}

}  // namespace

int Cost::total() const {
  int sum = 0;
  for (const auto& [path, count] : lines) sum += count;
  return sum;
}

Cost Count(const std::string& root, const Example& example) {
  const std::regex pattern(example.pattern);
  Cost cost;
  for (const char* top : {"runtime", "service", "exporters", "launcher", "proto"}) {
    for (const auto& entry : fs::recursive_directory_iterator(JoinPath(root, top))) {
      if (!entry.is_regular_file() || !IsProduct(entry.path())) continue;
      const std::string path = fs::relative(entry.path(), root).string();
      if (Begins(path, example.own)) {
        ++cost.own_files;
      } else if (!Begins(path, example.uses)) {
        const std::string text = ReadFile(entry.path().string()).value();
        const int lines = Matches(text, pattern, entry.path().filename() == "CMakeLists.txt");
        if (lines > 0) cost.lines[path] = lines;
      }
    }
  }
  return cost;
}

int AddedLines(const std::string& original, const std::string& copy) {
  const auto lines = [](const std::string& text) {
    std::vector<std::string> out = absl::StrSplit(text, '\n');
    std::erase_if(out, [](const std::string& line) { return absl::StripAsciiWhitespace(line).empty(); });
    return out;
  };
  const std::vector<std::string> old = lines(original);
  size_t at = 0;
  int added = 0;
  for (const std::string& line : lines(copy)) {
    if (at < old.size() && old[at] == line) {
      ++at;
    } else {
      ++added;
    }
  }
  return at == old.size() ? added : -1;
}

}  // namespace galley
