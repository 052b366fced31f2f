// Decoders of tokenizer.json.
#include "runtime/base/status.h"
#include "runtime/tokenizer/huggingface/json.h"
#include "runtime/tokenizer/pipeline/decode_steps.h"

namespace galley::tokenizer::hf {

absl::Status ReadDecoder(const Node& node, int depth, std::vector<DecodeStep>& steps) {
  if (node.null()) return absl::OkStatus();
  if (depth > kMaxDepth) return node.Bad("is nested too deep");
  const std::string type = node.type();
  if (type == "Sequence") {
    const Node list = node["decoders"];
    if (!list.json().is_array()) return list.Bad("is no list");
    for (size_t i = 0; i < list.size(); ++i) RETURN_IF_ERROR(ReadDecoder(list[i], depth + 1, steps));
  } else if (type == "ByteLevel") {
    steps.push_back(ByteLevelDecode());
  } else if (type == "ByteFallback") {
    steps.push_back(ByteFallbackDecode());
  } else if (type == "Fuse") {
    steps.push_back(FuseDecode());
  } else if (type == "Strip") {
    ASSIGN_OR_RETURN(std::string content, node["content"].Needed());
    ASSIGN_OR_RETURN(const int64_t start, node["start"].Int(0));
    ASSIGN_OR_RETURN(const int64_t stop, node["stop"].Int(0));
    if (content.empty() || start < 0 || stop < 0 || start > 1000 || stop > 1000)
      return node.Bad("is out of bounds");
    steps.push_back(StripDecode(std::move(content), static_cast<int>(start), static_cast<int>(stop)));
  } else if (type == "Replace") {
    ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(node["pattern"]));
    ASSIGN_OR_RETURN(std::string content, node["content"].Needed());
    if (pattern.regex.has_value()) {
      absl::StatusOr<Regex> regex = Regex::Compile(*pattern.regex, Regex::Dialect::kOniguruma);
      if (!regex.ok()) return Annotate(regex.status(), node.path());
      steps.push_back(ReplaceRegexDecode(*std::move(regex), std::move(content)));
    } else {
      steps.push_back(ReplaceDecode(std::move(pattern.literal), std::move(content)));
    }
  } else if (type == "Metaspace") {
    ASSIGN_OR_RETURN(std::string mark, node["replacement"].String("\xe2\x96\x81"));
    ASSIGN_OR_RETURN(const bool prefix, node["add_prefix_space"].Bool(true));
    ASSIGN_OR_RETURN(const std::string scheme, node["prepend_scheme"].String(prefix ? "always" : "never"));
    if (mark.empty()) return node["replacement"].Bad("is empty");
    steps.push_back(MetaspaceDecode(std::move(mark), scheme != "never"));
  } else if (type == "WordPiece") {
    ASSIGN_OR_RETURN(std::string prefix, node["prefix"].String("##"));
    ASSIGN_OR_RETURN(const bool cleanup, node["cleanup"].Bool(true));
    steps.push_back(WordPieceDecode(std::move(prefix), cleanup));
  } else {
    return node.Unsupported();
  }
  return absl::OkStatus();
}

}  // namespace galley::tokenizer::hf
