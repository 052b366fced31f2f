#include "runtime/recipe/parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "runtime/base/utf8.h"

namespace galley::recipe {
namespace {

// Where lines begin, so that yaml-cpp's byte columns become columns in characters.
class Lines {
 public:
  explicit Lines(absl::string_view text) : text_(text) {
    begins_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') begins_.push_back(i + 1);
    }
  }

  Location At(int file, int line, int byte_column) const {
    const size_t at = std::min(static_cast<size_t>(std::max(line, 0)), begins_.size() - 1);
    const size_t begin = begins_[at];
    const size_t end = std::min(begin + static_cast<size_t>(std::max(byte_column, 0)), text_.size());
    int column = 1;
    for (size_t i = begin; i < end; ++i) column += !ContinuesUtf8(text_[i]);
    return {file, static_cast<int>(at) + 1, column};
  }

  absl::string_view From(int line, int byte_column) const {
    const size_t at = static_cast<size_t>(std::max(line, 0));
    if (at >= begins_.size()) return {};
    const size_t begin = begins_[at] + static_cast<size_t>(std::max(byte_column, 0));
    return begin < text_.size() ? text_.substr(begin) : absl::string_view();
  }

 private:
  absl::string_view text_;
  std::vector<size_t> begins_;
};

// A limit or rule of ours that ends reading at once.
struct Stop {
  Location location;
  std::string message;
};

bool LooksNull(absl::string_view text) {
  for (absl::string_view word : {"~", "null", "Null", "NULL"}) {
    if (absl::StartsWith(text, word)) return true;
  }
  return false;
}

// Made from yaml-cpp's events and not from its tree, so that the limits hold while the text is read, and a
// duplicate key is a fault that names both lines.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Lines& lines, int file) : lines_(lines), file_(file) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Arrive(mark);
    // An empty value's mark is that of the token after it, so it stands where its key does. A written null
    // cannot be told apart before the next event: if that has the same mark, the null was an empty value.
    auto node = std::make_shared<Node>();
    const bool written = LooksNull(lines_.From(mark.line, mark.column));
    const Location key_location = KeyLocation();
    node->location = written ? At(mark) : key_location;
    if (written) maybe_empty_ = MaybeEmpty{node, mark.line, mark.column, key_location};
    Add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Arrive(mark);
    if (++aliases_ > kMaxAliases) throw Stop{At(mark), absl::StrCat("more than ", kMaxAliases, " aliases")};
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{At(mark), "an alias inside the very value it names"};
    // The copy is shallow: children stay shared.
    auto node = std::make_shared<Node>(*found->second);
    node->location = At(mark);
    Add(std::move(node), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Arrive(mark);
    auto node = std::make_shared<Node>();
    node->kind = Node::Kind::kScalar;
    node->location = At(mark);
    node->text = value;
    node->quoted = tag == "!";
    if (tag != "?" && tag != "!" && !tag.empty()) Tagged(mark, tag);
    Add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

  NodePtr root() const { return root_; }
  std::vector<RawFault>& faults() { return faults_; }

 protected:
  Location At(const YAML::Mark& mark) const { return lines_.At(file_, mark.line, mark.column); }

 private:
  struct Frame {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor;
    std::string path;
    bool has_key = false;
    bool skip = false;  // the value to come belongs to a refused key
    std::string key = {};
    Location key_location = {};
  };
  struct MaybeEmpty {
    std::shared_ptr<Node> node;
    int line, column;
    Location location;
  };

  void Arrive(const YAML::Mark& mark) {
    if (maybe_empty_ && maybe_empty_->line == mark.line && maybe_empty_->column == mark.column) {
      maybe_empty_->node->location = maybe_empty_->location;
    }
    maybe_empty_.reset();
  }

  Location KeyLocation() const {
    if (frames_.empty()) return {file_, 1, 1};
    return frames_.back().has_key ? frames_.back().key_location : frames_.back().node->location;
  }

  std::string Path() const {
    if (frames_.empty()) return "";
    const Frame& f = frames_.back();
    if (f.node->kind == Node::Kind::kList) return ItemPath(f.path, f.node->items.size());
    return f.has_key ? ChildPath(f.path, f.key) : f.path;
  }

  void Tagged(const YAML::Mark& mark, const std::string& tag) {
    faults_.push_back({At(mark), Path(),
                       absl::StrCat("the tag '", absl::StrReplaceAll(tag, {{"tag:yaml.org,2002:", "!!"}}),
                                    "' is not read; leave it out")});
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    Arrive(mark);
    if (static_cast<int>(frames_.size()) >= kMaxDepth) {
      throw Stop{At(mark), absl::StrCat("nested deeper than ", kMaxDepth, " levels")};
    }
    if (tag != "?" && !tag.empty()) Tagged(mark, tag);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->location = At(mark);
    Frame frame{std::move(node), anchor, Path()};
    frames_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Add(std::move(frame.node), frame.anchor);
  }

  void Add(std::shared_ptr<Node> node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& f = frames_.back();
    if (f.node->kind == Node::Kind::kList) {
      f.node->items.push_back(std::move(node));
    } else if (!f.has_key) {
      TakeKey(f, *node);
    } else {
      f.has_key = false;
      if (!f.skip) f.node->entries.push_back({f.key, f.key_location, std::move(node)});
    }
  }

  void TakeKey(Frame& f, const Node& key) {
    f.has_key = true;
    f.skip = true;
    f.key_location = key.location;
    // An anchored or written null as a key, or `? [a, b]`: nothing a recipe has.
    f.key = key.kind == Node::Kind::kScalar ? key.text : "?";
    if (key.kind != Node::Kind::kScalar) {
      faults_.push_back({key.location, f.path, "a key must be a word"});
    } else if (f.key == "<<" && !key.quoted) {
      faults_.push_back(
          {key.location, ChildPath(f.path, f.key), "YAML's merge key is not read; use `base:`"});
    } else if (const Entry* first = f.node->Find(f.key)) {
      faults_.push_back({key.location, ChildPath(f.path, f.key),
                         absl::StrCat("duplicate key; the first is in line ", first->key_location.line)});
    } else {
      f.skip = false;
    }
  }

  const Lines& lines_;
  const int file_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  std::optional<MaybeEmpty> maybe_empty_;
  NodePtr root_;
  std::vector<RawFault> faults_;
  int aliases_ = 0;
};

class SecondDocument : public Builder {
 public:
  using Builder::Builder;
  void OnDocumentStart(const YAML::Mark& mark) override { throw Stop{At(mark), "a second document"}; }
};

Parsed Fatal(Location location, std::string message) {
  Parsed parsed;
  parsed.fatal = true;
  parsed.faults.push_back({location, "", std::move(message)});
  return parsed;
}

// What yaml-cpp must never see. The location is that of the offending byte.
std::optional<RawFault> CheckBytes(absl::string_view text, const Lines& lines, int file) {
  if (text.size() > kMaxBytes) {
    return RawFault{{file, 1, 1}, "", absl::StrCat("longer than 1 MiB (", text.size(), " bytes)")};
  }
  int line = 0;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const int length = DecodeUtf8(text.data() + i, text.data() + text.size()).length;
    if (length == 0 || text[i] == '\0') {
      const Location location = lines.At(file, line, static_cast<int>(i - begin));
      return RawFault{location, "", length == 0 ? "not valid UTF-8" : "a NUL byte"};
    }
    if (text[i] == '\n') {
      ++line;
      begin = i + 1;
    }
    i += static_cast<size_t>(length);
  }
  return std::nullopt;
}

}  // namespace

Parsed Parse(absl::string_view text, int file) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");  // yaml-cpp leaves the mark out of its columns
  const Lines lines(text);
  if (auto fault = CheckBytes(text, lines, file)) return Fatal(fault->location, fault->message);
  Builder builder(lines, file);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    SecondDocument second(lines, file);
    parser.HandleNextDocument(second);
    Parsed parsed;
    parsed.root = builder.root();
    if (parsed.root == nullptr) return Fatal({file, 1, 1}, "the recipe is empty");
    parsed.faults = std::move(builder.faults());
    return parsed;
  } catch (const Stop& stop) {
    return Fatal(stop.location, stop.message);
  } catch (const YAML::Exception& e) {
    const absl::string_view line = lines.From(e.mark.line, 0);
    const bool tab = line.substr(0, line.find_first_not_of(" \t")).find('\t') != absl::string_view::npos;
    return Fatal(lines.At(file, e.mark.line, e.mark.column),
                 absl::StrCat("syntax: ", e.msg, tab ? "; a tab indents this line, YAML wants spaces" : ""));
  } catch (const std::exception& e) {
    return Fatal({file, 1, 1}, absl::StrCat("cannot be read as YAML: ", e.what()));
  }
}

}  // namespace galley::recipe
