#include "runtime/recipe/load.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/base/file.h"
#include "runtime/recipe/check.h"
#include "runtime/recipe/emit.h"
#include "runtime/recipe/origins.h"
#include "runtime/recipe/overlay.h"
#include "runtime/recipe/parse.h"
#include "runtime/recipe/recipe_table.h"

namespace galley::recipe {
namespace {

constexpr int kMostBases = 16;

// One reading: files, `base:`, --set, and then the tables over the tree that is left.
class Loader {
 public:
  // The fault that ended reading, if one did.
  bool failed() const { return fatal_; }

  // read: null where files cannot be read, which makes `base:` a fault.
  using ReadText = std::function<absl::StatusOr<std::string>(const std::string& path)>;

  NodePtr Document(const std::string& text, const FileInfo& info, const std::string& real_path,
                   const ReadText& read) {
    chain_.push_back(real_path);
    const int file = static_cast<int>(files_.size());
    files_.push_back(info);
    NodePtr root = Accept(Parse(text, file));
    if (root == nullptr) return nullptr;
    if (root->kind != Node::Kind::kMap) {
      Fatal({root->location, "", absl::StrCat("a recipe is a map, this is ", KindName(*root))});
      return nullptr;
    }
    const Entry* base = root->Find("base");
    if (base == nullptr) return root;
    auto rest = std::make_shared<Node>(*root);
    rest->entries.erase(std::find_if(rest->entries.begin(), rest->entries.end(),
                                     [](const Entry& e) { return e.key == "base"; }));
    const NodePtr under = Base(*base->value, file, read);
    if (fatal_) return nullptr;
    return under == nullptr ? NodePtr(rest) : Merge(under, rest);
  }

  NodePtr Set(NodePtr root, const std::string& set, const std::string& working_dir) {
    const size_t equals = set.find('=');
    const std::string path = set.substr(0, equals);
    const int file = static_cast<int>(files_.size());
    files_.push_back({absl::StrCat("--set ", path), working_dir, true});
    if (equals == std::string::npos || equals + 1 == set.size()) {
      raw_.push_back({{file}, path, "no value; write --set PATH=VALUE"});
      return root;
    }
    const auto parts = SplitPath(path);
    if (!parts.ok()) {
      raw_.push_back({{file}, path, std::string(parts.status().message())});
      return root;
    }
    const NodePtr value = Accept(Parse(set.substr(equals + 1), file));
    if (value == nullptr) return nullptr;
    const auto changed = SetAt(root, *parts, value);
    if (changed.ok()) return *changed;
    raw_.push_back({{file}, path, std::string(changed.status().message())});
    return root;
  }

  void Fatal(RawFault fault) {
    fatal_ = true;
    raw_ = {std::move(fault)};
  }

  // Reads the tree and runs all checks. root null: only the fault that ended reading.
  LoadResult Finish(const NodePtr& root, const std::string& root_dir, const Rules& rules) {
    LoadResult result;
    const RecipeTable table(rules.families);
    Checker checker(files_);
    checker.incomplete = base_failed_;
    for (const RawFault& fault : raw_) checker.ErrorAt(fault.location, fault.path, fault.message);
    if (!fatal_) {
      ReadSection(*table, root, "", checker, &checker.spec);
      RunChecks(rules.checks, checker);
    }
    result.faults = checker.faults();
    SortFaults(result.faults);
    if (HasErrors(result.faults)) return result;
    const NodePtr canonical = WriteSection(*table, &checker.spec, root_dir);
    result.text = {EmitYaml(*canonical, nullptr), root_dir, OriginsJson(*canonical, checker)};
    result.spec = std::move(checker.spec);
    return result;
  }

  Files& files() { return files_; }

 private:
  static void RunChecks(const std::vector<Check>& above, Checker& checker) {
    CheckAcross(checker);
    const Family* family = checker.spec.model.family;
    if (checker.Sound({"model.family"}) && family->check != nullptr) family->check(checker);
    if (checker.Sound({"parallelism", "launcher.nodes", "launcher.ranks_per_node"})) FillAcross(checker.spec);
    WarnOfUnusualValues(checker);
    WarnOfNotBuilt(checker);
    for (Check check : above) check(checker);
  }

  NodePtr Accept(Parsed parsed) {
    if (parsed.fatal) {
      Fatal(parsed.faults[0]);
      return nullptr;
    }
    raw_.insert(raw_.end(), parsed.faults.begin(), parsed.faults.end());
    return parsed.root;
  }

  // The tree of `base:`, null (with a fault) when there is none to be had.
  NodePtr Base(const Node& value, int file, const ReadText& read) {
    auto fault = [&](const std::string& message) {
      raw_.push_back({value.location, "base", message});
      base_failed_ = true;
      return nullptr;
    };
    if (value.kind != Node::Kind::kScalar || value.text.empty()) {
      return fault(absl::StrCat("expected a path, got ", KindName(value)));
    }
    if (read == nullptr) return fault("cannot be read here; render the recipe first");
    const FileInfo from = files_[static_cast<size_t>(file)];
    const std::string path = JoinPath(from.dir, value.text);
    const auto real_path = AbsolutePath(path);
    if (!real_path.ok()) return fault(std::string(real_path.status().message()));
    // By path: a circle through links is not seen here, and ends at the depth below.
    if (std::find(chain_.begin(), chain_.end(), *real_path) != chain_.end()) {
      return fault(absl::StrCat("'", value.text, "' is based on itself"));
    }
    if (chain_.size() > kMostBases) return fault(absl::StrCat("more than ", kMostBases, " files deep"));
    const auto text = read(*real_path);
    if (!text.ok()) return fault(absl::StrReplaceAll(text.status().message(), {{*real_path, value.text}}));
    // Faults name it as the user would reach it from the recipe's own name.
    const std::string shown = absl::StartsWith(value.text, "/") || DirName(from.name) == "."
                                  ? value.text
                                  : JoinPath(DirName(from.name), value.text);
    return Document(*text, {shown, DirName(*real_path)}, *real_path, read);
  }

  Files files_;
  std::vector<RawFault> raw_;
  std::vector<std::string> chain_;  // absolute paths from the recipe to its deepest base
  bool fatal_ = false;
  bool base_failed_ = false;
};

LoadResult LoadDocument(const std::string& text, const FileInfo& info, const std::string& real_path,
                        const std::vector<std::string>& sets, const std::string& working_dir,
                        const Loader::ReadText& read, const Rules& rules) {
  Loader loader;
  NodePtr root = loader.Document(text, info, real_path, read);
  for (const std::string& set : sets) {
    if (!loader.failed()) root = loader.Set(root, set, working_dir);
  }
  return loader.Finish(root, info.dir, rules);
}

LoadResult Unreadable(const std::string& path, const absl::Status& status) {
  LoadResult result;
  Fault fault;
  fault.file = path;
  fault.message = std::string(status.message());
  result.faults.push_back(std::move(fault));
  return result;
}

}  // namespace

LoadResult LoadFile(const std::string& path, const Rules& rules, const std::vector<std::string>& sets) {
  // One byte beyond the limit, so that Parse, which words the fault, sees that there is more.
  const auto read = [](const std::string& file) { return ReadFile(file, int64_t{kMaxBytes} + 1); };
  const auto real_path = AbsolutePath(path);
  if (!real_path.ok()) return Unreadable(path, real_path.status());
  const auto working_dir = AbsolutePath(".");
  if (!working_dir.ok()) return Unreadable(path, working_dir.status());
  const auto text = read(*real_path);
  if (!text.ok()) return Unreadable(path, text.status());
  return LoadDocument(*text, {path, DirName(*real_path)}, *real_path, sets, *working_dir, read, rules);
}

LoadResult LoadString(const std::string& yaml, const std::string& name, const std::string& root,
                      const Rules& rules, const std::vector<std::string>& sets) {
  return LoadDocument(yaml, {name, root}, name, sets, root, nullptr, rules);
}

LoadResult LoadText(const RecipeText& text, const Rules& rules) {
  Loader loader;
  NodePtr root = loader.Document(text.canonical, {"recipe.yaml", text.root}, "", nullptr);
  Origins origins = ParseOrigins(text.origins_json);
  if (root != nullptr) root = WithOrigins(root, origins, text.root, loader.files());
  LoadResult result = loader.Finish(root, text.root, rules);
  result.origins = std::move(origins);
  if (result.spec) result.text = text;  // the origins that came with it, not locations in the canonical text
  return result;
}

}  // namespace galley::recipe
