#include "runtime/data/megatron/npy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxValues = int64_t{1} << 48;  // offsets of values stay far inside 64 bits
constexpr size_t kPiece = 1 << 20;                // bytes read at a time

absl::Status Bad(size_t offset, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("offset ", offset, ": ", what));
}

// The header's text is a Python dict of three known keys.
class Dict {
 public:
  Dict(absl::string_view text, size_t offset) : rest_(text), end_(offset + text.size()) {}

  absl::Status Read(NpyHeader& header) {
    if (!Take("{")) return Fail("no dict");
    int seen = 0;
    while (!Take("}")) {
      absl::string_view key;
      if (!Quoted(key) || !Take(":")) return Fail("no key");
      const int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (bit == 0 || (seen & bit) != 0) return Fail("a key that is unknown or comes twice");
      seen |= bit;
      RETURN_IF_ERROR(bit == 1 ? Type(header) : bit == 2 ? Order() : Shape(header));
      if (!Take(",") && Peek() != '}') return Fail("no comma");
    }
    if (!absl::StripAsciiWhitespace(rest_).empty()) return Fail("text after the dict");
    if (seen != 7) return Fail("a key is missing");
    return fortran_ && header.shape.size() > 1 ? Unknown("columns come first") : absl::OkStatus();
  }

 private:
  absl::Status Fail(absl::string_view what) const { return Bad(end_ - rest_.size(), what); }
  absl::Status Unknown(absl::string_view what) const {
    return absl::UnimplementedError(absl::StrCat("offset ", end_ - rest_.size(), ": ", what));
  }
  char Peek() {
    rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    return rest_.empty() ? '\0' : rest_.front();
  }
  bool Take(absl::string_view word) {
    Peek();
    return absl::ConsumePrefix(&rest_, word);
  }
  bool Quoted(absl::string_view& text) {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return false;
    const size_t end = rest_.find(quote, 1);
    if (end == absl::string_view::npos) return false;
    text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return true;
  }
  absl::Status Type(NpyHeader& header) {
    absl::string_view type;
    if (!Quoted(type)) return Unknown("the items are not plain numbers");
    const bool order = type.size() == 3 && (type[0] == '<' || (type[0] == '|' && type[2] == '1'));
    if (!order || (type[1] != 'i' && type[1] != 'u') ||
        absl::string_view("1248").find(type[2]) == absl::string_view::npos || type.substr(1) == "u8") {
      return Unknown("the items are not whole numbers of up to 64 bits, the lowest byte first");
    }
    header.item = type[2] - '0';
    header.with_sign = type[1] == 'i';
    return absl::OkStatus();
  }
  absl::Status Order() {
    fortran_ = Take("True");
    return fortran_ || Take("False") ? absl::OkStatus() : Fail("fortran_order is not True or False");
  }
  absl::Status Shape(NpyHeader& header) {
    if (!Take("(")) return Fail("the shape is not a tuple");
    while (!Take(")")) {
      Peek();
      size_t digits = 0;
      while (digits < rest_.size() && absl::ascii_isdigit(static_cast<unsigned char>(rest_[digits])))
        ++digits;
      int64_t size = 0;
      if (!absl::SimpleAtoi(rest_.substr(0, digits), &size) || size > kMaxValues ||
          header.shape.size() == 2) {
        return Fail("the shape is not of one or two counts");
      }
      rest_.remove_prefix(digits);
      header.shape.push_back(size);
      if (!Take(",") && Peek() != ')') return Fail("the shape is not a tuple");
    }
    return header.shape.empty() ? Fail("a single number, no array") : absl::OkStatus();
  }

  absl::string_view rest_;
  size_t end_;  // offset of the text's end
  bool fortran_ = false;
};

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view begin, int64_t file_size) {
  if (begin.size() < 10 || begin.substr(0, kMagic.size()) != kMagic) return Bad(0, "no .npy file");
  const auto byte = [&begin](size_t at) {
    return static_cast<size_t>(static_cast<unsigned char>(begin[at]));
  };
  const size_t version = byte(6);
  if (version < 1 || version > 3) return Bad(6, absl::StrCat(".npy version ", version, ", not 1 to 3"));
  const size_t text = version == 1 ? 10 : 12;
  if (begin.size() < text) return Bad(begin.size(), "the file ends in its header");
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kMaxNpyHeader - text) return Bad(8, absl::StrCat("a header of ", length, " bytes"));
  if (length > begin.size() - text) return Bad(begin.size(), "the file ends in its header");
  NpyHeader header;
  RETURN_IF_ERROR(Dict(begin.substr(text, length), text).Read(header));
  header.data = static_cast<int64_t>(text + length);
  header.values = 1;
  for (const int64_t size : header.shape) {
    if (__builtin_mul_overflow(header.values, size, &header.values) || header.values > kMaxValues)
      return Bad(text, "the shape holds too much");
  }
  if (file_size - header.data != header.values * header.item) {
    return Bad(static_cast<size_t>(header.data),
               absl::StrCat("the header tells of ", header.values * header.item, " bytes, and ",
                            file_size - header.data, " follow"));
  }
  return header;
}

absl::StatusOr<NpyFile> NpyFile::Open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return ErrnoStatus(errno, path);
  NpyFile npy(path, file);
  struct stat info {};
  if (::fstat(file, &info) != 0) return ErrnoStatus(errno, path);
  if (!S_ISREG(info.st_mode)) return absl::DataLossError(absl::StrCat(path, ": no plain file"));
  std::string begin(kMaxNpyHeader, '\0');
  ASSIGN_OR_RETURN(const size_t have, ReadAt(file, path, 0, std::as_writable_bytes(std::span(begin))));
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(absl::string_view(begin.data(), have), info.st_size);
  if (!header.ok()) return Annotate(header.status(), path);
  npy.header_ = *std::move(header);
  return npy;
}

NpyFile::NpyFile(NpyFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      header_(std::move(other.header_)) {}

NpyFile::~NpyFile() {
  if (file_ >= 0) ::close(file_);
}

absl::Status NpyFile::Read(int64_t begin, std::span<int64_t> out) const {
  const auto count = static_cast<int64_t>(out.size());
  CHECK(begin >= 0 && count <= header_.values - begin) << begin << " + " << count << " of " << header_.values;
  const auto item = static_cast<size_t>(header_.item);
  std::vector<std::byte> bytes(std::min(kPiece, out.size() * item));
  for (size_t done = 0; done < out.size();) {
    const size_t want = std::min(bytes.size() / item, out.size() - done) * item;
    const int64_t at = header_.data + (begin + static_cast<int64_t>(done)) * header_.item;
    ASSIGN_OR_RETURN(const size_t have, ReadAt(file_, path_, at, std::span(bytes).first(want)));
    if (have < want) {
      return absl::DataLossError(absl::StrCat(path_, ": offset ", at + static_cast<int64_t>(have),
                                              ": the file was cut short while it was read"));
    }
    for (size_t i = 0; i < want / item; ++i) {
      uint64_t value = 0;
      std::memcpy(&value, bytes.data() + i * item, item);
      const int unused = 64 - 8 * header_.item;
      out[done + i] =
          header_.with_sign ? static_cast<int64_t>(value << unused) >> unused : static_cast<int64_t>(value);
    }
    done += want / item;
  }
  return absl::OkStatus();
}

}  // namespace galley::data
