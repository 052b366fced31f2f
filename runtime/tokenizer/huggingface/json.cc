#include "runtime/tokenizer/huggingface/json.h"

namespace galley::tokenizer::hf {
namespace {

const Json kNull;

}  // namespace

Node Node::operator[](const char* key) const {
  const std::string path = path_.empty() ? key : absl::StrCat(path_, ".", key);
  if (!json_->is_object()) return {&kNull, path};
  const auto at = json_->find(key);
  return {at == json_->end() ? &kNull : &*at, path};
}

Node Node::operator[](size_t index) const { return {&(*json_)[index], absl::StrCat(path_, "[", index, "]")}; }

std::string Node::type() const {
  const Node type = (*this)["type"];
  return type.json().is_string() ? type.json().get<std::string>() : "";
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
  if (!json_->is_boolean()) return Bad("is neither true nor false");
  return json_->get<bool>();
}

absl::StatusOr<int64_t> Node::Int(int64_t otherwise) const {
  if (null()) return otherwise;
  if (!json_->is_number_integer()) return Bad("is not a whole number");
  return json_->get<int64_t>();
}

absl::StatusOr<std::string> Node::String(absl::string_view otherwise) const {
  if (null()) return std::string(otherwise);
  if (!json_->is_string()) return Bad("is not a string");
  return json_->get<std::string>();
}

absl::StatusOr<std::string> Node::Needed() const {
  if (null()) return Bad("is missing");
  return String("");
}

}  // namespace galley::tokenizer::hf
