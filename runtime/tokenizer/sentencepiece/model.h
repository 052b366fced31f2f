// A SentencePiece .model: the fields of its protobuf message that encoding and decoding need, read strictly
// and within bounds. The file is read by hand: Debian's libsentencepiece exports a protobuf of its own, which
// cannot live in one process with the libprotobuf that trainctl and the controller link.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace galley::tokenizer {

enum class PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct SentencePieceModel {
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Piece> pieces;  // by id
  enum class Type { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  Type type = Type::kUnigram;
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;
  std::string unknown_surface = " \xe2\x81\x87 ";  // what an unknown piece decodes to
  // The normalizer.
  std::string charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool denormalizer = false;  // there is one with rules
  // Derived: ids, -1 when there is none.
  int32_t unknown = -1;
  int32_t bos = -1;
  int32_t eos = -1;
  std::array<int32_t, 256> bytes{};
};

// Errors name `name` and the piece.
absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(absl::string_view bytes, absl::string_view name);

// SentencePiece's normalizer: rules of the model's character map, whitespace, and marks for spaces.
class SentencePieceNormalizer {
 public:
  // `frozen`: user-defined pieces, which no rule changes. The model's charsmap is checked.
  static absl::StatusOr<SentencePieceNormalizer> Make(const SentencePieceModel& model,
                                                      absl::string_view name);
  std::string Normalize(absl::string_view text) const;
  // The length of the longest user-defined piece at the beginning of `text`, 0 when there is none.
  size_t UserDefined(absl::string_view text) const;

 private:
  struct Prefix {
    absl::string_view text;  // what it becomes
    size_t length = 0;       // bytes taken
  };
  Prefix Next(absl::string_view text) const;

  bool dummy_prefix_ = true, extra_ = true, escape_ = true, suffix_ = false;
  std::vector<uint32_t> trie_;             // a double array in the layout of Darts-clone
  std::string replacements_;               // ended by NUL each
  std::vector<std::string> user_defined_;  // sorted
  std::array<bool, 256> user_first_{};
  size_t longest_user_ = 0;
};

}  // namespace galley::tokenizer
