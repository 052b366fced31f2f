#include "tests/changing/count.h"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

namespace fs = std::filesystem;

bool IsProduct(const fs::path& path) {
  static const std::regex test("(_test|_fuzz|_bench)\\.cc$|test[^/]*\\.h$|/fake_[^/]*/|/steady/");
  const std::string ext = path.extension(), text = path.string();
  const bool source = ext == ".cc" || ext == ".h" || ext == ".cu" || ext == ".proto";
  return (source || path.filename() == "CMakeLists.txt") && !std::regex_search(text, test);
}

// A file's text with blanks for its comments.
struct Code {
  bool cmake = false;
  std::string text = {};
  std::vector<bool> quoted = {};  // by character: in a literal, with its quotes
};

Code Read(const std::string& text, bool cmake) {
  Code code{cmake, text, std::vector<bool>(text.size())};
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    code.quoted[i] = quote != 0;
    if (quote != 0) {
      if (c == '\\' && i + 1 < text.size()) {
        code.quoted[++i] = true;
      } else if (c == quote || c == '\n') {
        quote = 0;
      }
    } else if (c == '"' || (c == '\'' && (i == 0 || !absl::ascii_isalnum(text[i - 1])))) {  // not 1'000
      quote = c;
      code.quoted[i] = true;
    } else if (cmake ? c == '#' : text.compare(i, 2, "//") == 0) {
      for (; i < text.size() && text[i] != '\n'; ++i) code.text[i] = ' ';
    }
  }
  return code;
}

// Where what begins at `begin`, and goes on to `least` at least, ends: at a comma or semicolon outside of all
// its brackets, at the brace that closes its first, or before the bracket that it stands in. An #include and
// a word of a CMakeLists.txt are lines.
size_t EndOf(const Code& code, size_t begin, size_t least) {
  if (code.cmake || code.text[begin] == '#') return least;
  int depth = 0;
  for (size_t i = begin; i < code.text.size(); ++i) {
    if (code.quoted[i]) continue;
    const char c = code.text[i];
    const bool opens = c == '(' || c == '[' || c == '{', closes = c == ')' || c == ']' || c == '}';
    depth += opens ? 1 : closes ? -1 : 0;
    const bool ends = depth < 0 || (depth == 0 && (c == ',' || c == ';' || c == '}'));
    if (ends && i + 1 >= least) return depth < 0 ? std::max(least, i) : i + 1;
  }
  return least;
}

size_t LineOf(const Code& code, size_t at) {
  return static_cast<size_t>(std::count(code.text.begin(), code.text.begin() + static_cast<long>(at), '\n'));
}

std::vector<std::string> Split(const Code& code) { return absl::StrSplit(code.text, '\n'); }

bool IsBlank(const std::string& line) { return absl::StripAsciiWhitespace(line).empty(); }

// The numbers of the lines, from 0, of all that begins at a match.
std::set<size_t> LinesOf(const Code& code, const std::string& pattern) {
  const std::vector<std::string> lines = Split(code);
  const std::regex regex(pattern);
  std::set<size_t> out;
  for (std::sregex_iterator it(code.text.begin(), code.text.end(), regex), end; it != end; ++it) {
    const auto begin = static_cast<size_t>(it->position()), least = begin + static_cast<size_t>(it->length());
    const size_t last = LineOf(code, EndOf(code, begin, least) - 1);
    for (size_t line = LineOf(code, begin); line <= last; ++line) {
      if (!IsBlank(lines[line])) out.insert(line);
    }
  }
  return out;
}

bool Begins(const std::string& path, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& b) { return absl::StartsWith(path, b); });
}

// Adds what the file has of the example.
void Add(const Example& example, const std::string& path, const Code& code, Cost& cost) {
  std::set<size_t> touched, used;
  for (const Lines& lines : example.touched) {
    if (path != lines.path) continue;
    const std::set<size_t> found = LinesOf(code, lines.pattern);
    if (found.empty()) cost.faults.push_back(absl::StrCat(path, ": no ", lines.pattern));
    touched.insert(found.begin(), found.end());
  }
  if (!touched.empty()) cost.lines[path] = static_cast<int>(touched.size());
  for (const Lines& lines : example.uses) {
    if (lines.pattern.empty() && absl::StartsWith(path, lines.path)) return;
    if (lines.pattern.empty() || path != lines.path) continue;
    const std::set<size_t> found = LinesOf(code, lines.pattern);
    if (found.empty()) cost.faults.push_back(absl::StrCat(path, ": no ", lines.pattern));
    used.insert(found.begin(), found.end());
  }
  const std::vector<std::string> lines = Split(code);
  const std::regex names(example.names);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!touched.contains(i) && !used.contains(i) && std::regex_search(lines[i], names)) {
      cost.faults.push_back(absl::StrCat(path, ":", i + 1, ": ", lines[i]));
    }
  }
}

}  // namespace

int Cost::total() const {
  int sum = 0;
  for (const auto& [path, count] : lines) sum += count;
  return sum;
}

Cost Count(const std::string& root, const Example& example) {
  Cost cost;
  std::set<std::string> seen;
  for (const char* top : {"runtime", "service", "exporters", "launcher", "proto"}) {
    for (const auto& entry : fs::recursive_directory_iterator(JoinPath(root, top))) {
      if (!entry.is_regular_file() || !IsProduct(entry.path())) continue;
      const std::string path = fs::relative(entry.path(), root).string();
      seen.insert(path);
      if (Begins(path, example.own)) {
        ++cost.own_files;
      } else {
        Add(example, path,
            Read(ReadFile(entry.path().string()).value(), entry.path().filename() == "CMakeLists.txt"), cost);
      }
    }
  }
  for (const Lines& lines : example.touched) {
    if (!seen.contains(lines.path)) cost.faults.push_back(absl::StrCat(lines.path, ": no such file"));
  }
  return cost;
}

int CountLines(const std::string& text, bool cmake, const std::string& pattern) {
  return static_cast<int>(LinesOf(Read(text, cmake), pattern).size());
}

int AddedLines(const std::string& original, const std::string& copy) {
  const auto lines = [](const std::string& text) {
    std::vector<std::string> out = absl::StrSplit(text, '\n');
    std::erase_if(out, IsBlank);
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
