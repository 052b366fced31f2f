#include "runtime/tokenizer/huggingface/json.h"

namespace galley::tokenizer::hf {
namespace {

const Json kNull;

}  // namespace

Node Node::operator[](const char* key) const {
  const std::string path = path_.empty() ? key : absl::StrCat(path_, ".", key);
  const Json* const member = json_->Find(key);
  return {member == nullptr ? &kNull : member, path};
}

Node Node::operator[](size_t index) const {
  return {&json_->items[index], absl::StrCat(path_, "[", index, "]")};
}

std::string Node::type() const {
  const Node type = (*this)["type"];
  return type.json().is_string() ? type.json().text : "";
}

absl::Status Node::Bad(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat(path_, ": ", what));
}

absl::Status Node::Unsupported() const {
  const std::string name = type();
  return absl::UnimplementedError(name.empty() ? absl::StrCat(path_, ": no component with a type")
                                               : absl::StrCat(path_, ": ", name, " is not supported"));
}

absl::StatusOr<bool> Node::Bool(bool otherwise) const {
  if (null()) return otherwise;
  if (json_->kind != Json::Kind::kBool) return Bad("is neither true nor false");
  return json_->boolean;
}

absl::StatusOr<int64_t> Node::Int(int64_t otherwise) const {
  if (null()) return otherwise;
  if (json_->kind != Json::Kind::kInt) return Bad("is not a whole number");
  return json_->integer;
}

absl::StatusOr<std::string> Node::String(absl::string_view otherwise) const {
  if (null()) return std::string(otherwise);
  if (!json_->is_string()) return Bad("is not a string");
  return json_->text;
}

absl::StatusOr<std::string> Node::Needed() const {
  if (null()) return Bad("is missing");
  return String("");
}

}  // namespace galley::tokenizer::hf
