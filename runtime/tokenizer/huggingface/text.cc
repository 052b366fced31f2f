// Normalizers and pre-tokenizers of tokenizer.json.
#include "runtime/base/status.h"
#include "runtime/tokenizer/huggingface/json.h"
#include "runtime/tokenizer/pipeline/normalize.h"
#include "runtime/tokenizer/pipeline/pretokenize.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer::hf {
namespace {

absl::StatusOr<Regex> Compile(const Node& node, const std::string& pattern) {
  absl::StatusOr<Regex> regex = Regex::Compile(pattern, Regex::Dialect::kOniguruma);
  if (!regex.ok()) return Annotate(regex.status(), node.path());
  return regex;
}

absl::StatusOr<SplitBehavior> ReadBehavior(const Node& node, absl::string_view otherwise) {
  ASSIGN_OR_RETURN(const std::string name, node.String(otherwise));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return node.Bad(absl::StrCat("the behavior '", name, "' is not known"));
}

absl::Status ReadSplit(const Node& node, Parts& parts) {
  ASSIGN_OR_RETURN(const Pattern pattern, ReadPattern(node["pattern"]));
  ASSIGN_OR_RETURN(const SplitBehavior behavior, ReadBehavior(node["behavior"], ""));
  ASSIGN_OR_RETURN(const bool invert, node["invert"].Bool(false));
  if (!pattern.regex.has_value()) {
    parts.steps.push_back(SplitStep(LiteralMatches(pattern.literal), behavior, invert));
    return absl::OkStatus();
  }
  // A scanner's pieces are the whole text: there are no gaps that an inversion could keep or drop.
  const PieceFunction scanner = KnownPattern(*pattern.regex);
  const bool pieces =
      (behavior == SplitBehavior::kIsolated) || (behavior == SplitBehavior::kRemoved && invert);
  if (scanner != nullptr && pieces) {
    if (parts.steps.empty() && parts.scanner == nullptr) {
      parts.scanner = scanner;
    } else {
      parts.steps.push_back(SplitStep(ScannerMatches(scanner), SplitBehavior::kIsolated));
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Regex regex, Compile(node["pattern"], *pattern.regex));
  parts.steps.push_back(SplitStep(RegexMatches(std::move(regex)), behavior, invert));
  return absl::OkStatus();
}

// A scanner on its own runs first; once another step follows, it is a step as well.
void ScannerToStep(Parts& parts) {
  if (parts.scanner == nullptr) return;
  parts.steps.insert(parts.steps.begin(), SplitStep(ScannerMatches(parts.scanner), SplitBehavior::kIsolated));
  parts.scanner = nullptr;
}

absl::Status ReadMetaspace(const Node& node, Parts& parts) {
  ASSIGN_OR_RETURN(const std::string mark, node["replacement"].String("\xe2\x96\x81"));
  if (mark.empty()) return node["replacement"].Bad("is empty");
  ASSIGN_OR_RETURN(const bool prefix, node["add_prefix_space"].Bool(true));
  ASSIGN_OR_RETURN(const std::string scheme, node["prepend_scheme"].String(prefix ? "always" : "never"));
  ASSIGN_OR_RETURN(const bool split, node["split"].Bool(true));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return node["prepend_scheme"].Bad(absl::StrCat("'", scheme, "' is not known"));
  }
  if (scheme == "first" && !parts.normalizer.empty()) {
    return node["prepend_scheme"].Bad("'first' together with a normalizer is not supported");
  }
  parts.steps.push_back(MetaspaceStep(mark,
                                      scheme == "always"  ? PrependScheme::kAlways
                                      : scheme == "first" ? PrependScheme::kFirst
                                                          : PrependScheme::kNever,
                                      split));
  return absl::OkStatus();
}

absl::Status ReadByteLevel(const Node& node, Parts& parts) {
  ASSIGN_OR_RETURN(const bool prefix, node["add_prefix_space"].Bool(true));
  ASSIGN_OR_RETURN(const bool regex, node["use_regex"].Bool(true));
  if (prefix) {
    ScannerToStep(parts);
    parts.steps.push_back(PrefixSpaceStep());
  }
  if (!regex) return absl::OkStatus();
  if (parts.steps.empty() && parts.scanner == nullptr) {
    parts.scanner = Gpt2Piece;
  } else {
    ScannerToStep(parts);
    parts.steps.push_back(SplitStep(ScannerMatches(Gpt2Piece), SplitBehavior::kIsolated));
  }
  return absl::OkStatus();
}

// The steps of one pre-tokenizer, in a row: Sequences opened.
absl::Status Flatten(const Node& node, int depth, std::vector<Node>& out) {
  if (node.null()) return absl::OkStatus();
  if (node.type() != "Sequence") {
    out.push_back(node);
    return absl::OkStatus();
  }
  if (depth > kMaxDepth) return node.Bad("is nested too deep");
  const Node list = node["pretokenizers"];
  if (!list.json().is_array()) return list.Bad("is not a list");
  for (size_t i = 0; i < list.size(); ++i) RETURN_IF_ERROR(Flatten(list[i], depth + 1, out));
  return absl::OkStatus();
}

absl::Status ReadOne(const Node& node, Parts& parts) {
  const std::string type = node.type();
  if (type == "ByteLevel") return ReadByteLevel(node, parts);
  if (type == "Split") {
    if (!parts.steps.empty() || parts.scanner == nullptr) return ReadSplit(node, parts);
    ScannerToStep(parts);
    return ReadSplit(node, parts);
  }
  ScannerToStep(parts);
  auto& steps = parts.steps;
  if (type == "Metaspace") return ReadMetaspace(node, parts);
  if (type == "Digits") {
    ASSIGN_OR_RETURN(const bool each, node["individual_digits"].Bool(false));
    const auto number = [](char32_t c) {
      return ClassOf(c) == CharClass::kNumber || (c >= 0x11de0 && c <= 0x11de9) ||
             (c >= 0x16ff4 && c <= 0x16ff6);
    };
    steps.push_back(
        SplitStep(CharMatches(number), each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
  } else if (type == "Punctuation") {
    ASSIGN_OR_RETURN(const SplitBehavior behavior, ReadBehavior(node["behavior"], "Isolated"));
    steps.push_back(SplitStep(CharMatches(IsBertPunctuation), behavior));
  } else if (type == "Whitespace") {
    steps.push_back(WhitespaceStep());
  } else if (type == "WhitespaceSplit") {
    steps.push_back(SplitStep(CharMatches(IsSpace), SplitBehavior::kRemoved));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(SplitStep(CharMatches(IsSpace), SplitBehavior::kRemoved));
    steps.push_back(SplitStep(CharMatches(IsBertPunctuation), SplitBehavior::kIsolated));
  } else if (type == "CharDelimiterSplit") {
    ASSIGN_OR_RETURN(const std::string delimiter, node["delimiter"].Needed());
    steps.push_back(SplitStep(LiteralMatches(delimiter), SplitBehavior::kRemoved));
  } else {
    return node.Unsupported();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Pattern> ReadPattern(const Node& node) {
  Pattern pattern;
  if (node.json().is_string()) {  // a bare string is a literal
    ASSIGN_OR_RETURN(pattern.literal, node.Needed());
  } else if (!node["Regex"].null()) {
    ASSIGN_OR_RETURN(pattern.regex, node["Regex"].Needed());
  } else {
    ASSIGN_OR_RETURN(pattern.literal, node["String"].Needed());
  }
  return pattern;
}

absl::Status ReadNormalizer(const Node& node, int depth, std::vector<TextStep>& steps) {
  if (node.null()) return absl::OkStatus();
  if (depth > kMaxDepth) return node.Bad("is nested too deep");
  const std::string type = node.type();
  if (type == "Sequence") {
    const Node list = node["normalizers"];
    if (!list.json().is_array()) return list.Bad("is not a list");
    for (size_t i = 0; i < list.size(); ++i) RETURN_IF_ERROR(ReadNormalizer(list[i], depth + 1, steps));
  } else if (type == "NFC") {
    steps.push_back(UnicodeStep(UnicodeForm::kNfc));
  } else if (type == "NFD") {
    steps.push_back(UnicodeStep(UnicodeForm::kNfd));
  } else if (type == "NFKC") {
    steps.push_back(UnicodeStep(UnicodeForm::kNfkc));
  } else if (type == "NFKD") {
    steps.push_back(UnicodeStep(UnicodeForm::kNfkd));
  } else if (type == "Lowercase") {
    steps.push_back(LowercaseStep());
  } else if (type == "StripAccents") {
    steps.push_back(StripAccentsStep());
  } else if (type == "Strip") {
    ASSIGN_OR_RETURN(const bool left, node["strip_left"].Bool(true));
    ASSIGN_OR_RETURN(const bool right, node["strip_right"].Bool(true));
    steps.push_back(StripStep(left, right));
  } else if (type == "Prepend") {
    ASSIGN_OR_RETURN(std::string prefix, node["prepend"].Needed());
    steps.push_back(PrependStep(std::move(prefix)));
  } else if (type == "Replace") {
    ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(node["pattern"]));
    ASSIGN_OR_RETURN(std::string content, node["content"].Needed());
    if (pattern.regex.has_value()) {
      ASSIGN_OR_RETURN(Regex regex, Compile(node["pattern"], *pattern.regex));
      steps.push_back(ReplaceRegexStep(std::move(regex), std::move(content)));
    } else {
      steps.push_back(ReplaceStep(std::move(pattern.literal), std::move(content)));
    }
  } else if (type == "ByteLevel") {
    steps.push_back(ByteCharsTextStep());
  } else if (type == "BertNormalizer") {
    BertOptions bert;
    ASSIGN_OR_RETURN(bert.clean_text, node["clean_text"].Bool(true));
    ASSIGN_OR_RETURN(bert.handle_chinese_chars, node["handle_chinese_chars"].Bool(true));
    ASSIGN_OR_RETURN(bert.lowercase, node["lowercase"].Bool(true));
    ASSIGN_OR_RETURN(bert.strip_accents, node["strip_accents"].Bool(bert.lowercase));
    steps.push_back(BertStep(bert));
  } else {
    return node.Unsupported();
  }
  return absl::OkStatus();
}

absl::Status ReadPreTokenizer(const Node& node, int depth, Parts& parts, bool* byte_level) {
  std::vector<Node> nodes;
  RETURN_IF_ERROR(Flatten(node, depth, nodes));
  for (size_t i = 0; i < nodes.size(); ++i) {
    RETURN_IF_ERROR(ReadOne(nodes[i], parts));
    if (nodes[i].type() != "ByteLevel") continue;
    if (i + 1 == nodes.size() && *byte_level) return absl::OkStatus();
    ScannerToStep(parts);
    parts.steps.push_back(ByteCharsStep());
  }
  *byte_level = false;
  return absl::OkStatus();
}

}  // namespace galley::tokenizer::hf
