#include "runtime/tokenizer/sentencepiece/model.h"

#include <cmath>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/pipeline/decode_steps.h"
#include "runtime/tokenizer/text/unicode.h"

namespace galley::tokenizer {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;
constexpr size_t kMaxPieceBytes = 16 << 20;  // of all together: each may cost a node of a search tree

// The fields of a protobuf message, one after the other.
class Message {
 public:
  explicit Message(absl::string_view bytes) : bytes_(bytes) {}
  bool Next() {
    if (bytes_.empty() || bad_) return false;
    uint64_t tag = 0;
    if (!Varint(tag)) return Bad();
    field_ = tag >> 3;
    number_ = 0;
    data_ = {};
    switch (tag & 7) {
      case 0:
        return Varint(number_) || Bad();
      case 1:
        return Take(8) || Bad();
      case 2: {
        uint64_t size = 0;
        return (Varint(size) && size <= bytes_.size() && Take(size)) || Bad();
      }
      case 5:
        return Take(4) || Bad();
      default:
        return Bad();
    }
  }
  bool bad() const { return bad_; }
  uint64_t field() const { return field_; }
  uint64_t number() const { return number_; }
  absl::string_view data() const { return data_; }
  bool flag() const { return number_ != 0; }
  float real() const {
    float value = 0;
    if (data_.size() == 4) std::memcpy(&value, data_.data(), 4);  // little endian, as this machine
    return value;
  }

 private:
  bool Bad() {
    bad_ = true;
    return false;
  }
  bool Take(uint64_t size) {
    if (size > bytes_.size()) return false;
    data_ = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  bool Varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[0]);
      bytes_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  absl::string_view bytes_, data_;
  uint64_t field_ = 0, number_ = 0;
  bool bad_ = false;
};

bool ReadPiece(absl::string_view bytes, SentencePieceModel::Piece& piece) {
  Message message(bytes);
  while (message.Next()) {
    if (message.field() == 1) piece.text = std::string(message.data());
    if (message.field() == 2) piece.score = message.real();
    if (message.field() == 3) {
      if (message.number() < 1 || message.number() > 6) return false;
      piece.type = static_cast<PieceType>(message.number());
    }
  }
  return !message.bad() && std::isfinite(piece.score);
}

struct Ids {
  std::string bos = "<s>";
  std::string eos = "</s>";
};

// Numbers of fields here and below are those of sentencepiece_model.proto.
bool ReadTrainer(absl::string_view bytes, SentencePieceModel& model, Ids& ids) {
  Message message(bytes);
  while (message.Next()) {
    switch (message.field()) {
      case 3:
        if (message.number() < 1 || message.number() > 4) return false;
        model.type = static_cast<SentencePieceModel::Type>(message.number());
        break;
      case 24:
        model.whitespace_as_suffix = message.flag();
        break;
      case 35:
        model.byte_fallback = message.flag();
        break;
      case 44:
        model.unknown_surface = std::string(message.data());
        break;
      case 46:
        ids.bos = std::string(message.data());
        break;
      case 47:
        ids.eos = std::string(message.data());
        break;
    }
  }
  return !message.bad();
}

bool ReadNormalizer(absl::string_view bytes, SentencePieceModel& model) {
  Message message(bytes);
  while (message.Next()) {
    if (message.field() == 2) model.charsmap = std::string(message.data());
    if (message.field() == 3) model.add_dummy_prefix = message.flag();
    if (message.field() == 4) model.remove_extra_whitespaces = message.flag();
    if (message.field() == 5) model.escape_whitespaces = message.flag();
  }
  return !message.bad();
}

// Fills what is derived from the pieces.
absl::Status Finish(SentencePieceModel& model, const Ids& ids, absl::string_view name) {
  const auto bad = [&](size_t id, absl::string_view what) {
    return absl::DataLossError(absl::StrCat(name, ": piece ", id, " ('",
                                            absl::Utf8SafeCEscape(model.pieces[id].text.substr(0, 60)), "') ",
                                            what));
  };
  model.bytes.fill(-1);
  std::unordered_set<std::string_view> seen;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePieceModel::Piece& piece = model.pieces[id];
    if (piece.text.empty()) return bad(id, "is empty");
    if (!IsValidUtf8(piece.text)) return bad(id, "is not valid UTF-8");
    if (!seen.insert(piece.text).second) return bad(id, "appears twice");
    const auto at = static_cast<int32_t>(id);
    if (piece.type == PieceType::kUnknown) {
      if (model.unknown >= 0) return bad(id, "is a second unknown piece");
      model.unknown = at;
    } else if (piece.type == PieceType::kByte) {
      const int byte = ByteOfFallback(piece.text);
      if (byte < 0) return bad(id, "is not a byte");
      model.bytes[static_cast<size_t>(byte)] = at;
    } else if (piece.type == PieceType::kControl) {
      if (piece.text == ids.bos) model.bos = at;
      if (piece.text == ids.eos) model.eos = at;
    }
  }
  if (model.unknown < 0) return absl::DataLossError(absl::StrCat(name, ": no piece is the unknown one"));
  for (size_t byte = 0; byte < 256 && model.byte_fallback; ++byte) {
    if (model.bytes[byte] < 0) {
      return absl::DataLossError(
          absl::StrCat(name, ": byte fallback is on, and the piece of byte ", byte, " is missing"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(absl::string_view bytes, absl::string_view name) {
  const auto bad = [&](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat(name, ": ", what, "; take the .model as its makers published it"));
  };
  SentencePieceModel model;
  size_t piece_bytes = 0;
  Ids ids;
  Message message(bytes);
  while (message.Next()) {
    if (message.field() == 1) {
      if (model.pieces.size() >= kMaxPieces) return bad("too many pieces");
      SentencePieceModel::Piece& piece = model.pieces.emplace_back();
      if (!ReadPiece(message.data(), piece))
        return bad(absl::StrCat("piece ", model.pieces.size() - 1, " is damaged"));
      piece_bytes += piece.text.size();
      if (piece_bytes > kMaxPieceBytes) return bad("more than 16 MiB of pieces");
    } else if (message.field() == 2) {
      if (!ReadTrainer(message.data(), model, ids)) return bad("its trainer_spec is damaged");
    } else if (message.field() == 3) {
      if (!ReadNormalizer(message.data(), model)) return bad("its normalizer_spec is damaged");
    } else if (message.field() == 5) {
      Message part(message.data());
      while (part.Next())
        model.denormalizer = model.denormalizer || (part.field() == 2 && !part.data().empty());
      if (part.bad()) return bad("its denormalizer_spec is damaged");
    }
  }
  if (message.bad()) return bad("it is not a SentencePiece model, or is cut");
  if (model.pieces.empty()) return bad("no pieces");
  RETURN_IF_ERROR(Finish(model, ids, name));
  return model;
}

}  // namespace galley::tokenizer
