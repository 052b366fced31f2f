#include "runtime/data/store/indexed_dataset.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/hash.h"
#include "runtime/base/status.h"
#include "runtime/data/store/faults.h"
#include "runtime/data/store/index_cursor.h"

namespace galley::data {
namespace {

constexpr absl::string_view kMagic("MMIDIDX\0\0", 9);
constexpr absl::string_view kLegacyMagic("TNTIDX\0\0", 8);
constexpr int64_t kHeader = 34;
constexpr int64_t kFingerprintEnd = 64 << 10;

// The arrays start at byte 34: nothing in the file is aligned.
template <class T>
T Load(std::span<const std::byte> bytes, int64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

template <class T>
void Widen(const std::byte* from, std::span<int32_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    // Every 64-bit id beyond int32 becomes -1, which no vocabulary holds.
    if constexpr (sizeof(T) == 8) {
      out[i] = value == static_cast<T>(static_cast<int32_t>(value)) ? static_cast<int32_t>(value) : -1;
    } else {
      out[i] = static_cast<int32_t>(value);
    }
  }
}

// A blend of thousands of files needs more of them open than a shell allows at first: the limit goes up to
// what this process may have before it is reached.
void RaiseFileLimit(int fd) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  if (static_cast<rlim_t>(fd) * 2 < limit.rlim_cur) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // else the next file says that too many are open
}

absl::Status ReadWhole(int fd, absl::string_view path, int64_t offset, std::span<std::byte> out) {
  ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, path, offset, out));
  if (n == out.size()) return absl::OkStatus();
  return Corrupt(path, offset + static_cast<int64_t>(n),
                 "the file ends here; it was cut short after it was opened");
}

}  // namespace

int64_t ItemSize(TokenType type) {
  switch (type) {
    case TokenType::kU8:
    case TokenType::kI8:
      return 1;
    case TokenType::kI16:
    case TokenType::kU16:
      return 2;
    case TokenType::kI32:
    case TokenType::kF32:
      return 4;
    case TokenType::kI64:
    case TokenType::kF64:
      return 8;
  }
  CHECK(false) << "token type " << static_cast<int>(type);
}

absl::string_view Name(TokenType type) {
  constexpr absl::string_view kNames[] = {"?", "u8", "i8", "i16", "i32", "i64", "f64", "f32", "u16"};
  return kNames[static_cast<int>(type)];
}

// Megatron's bound, so that its readers and ours agree on a file that either wrote.
TokenType TokenTypeFor(int64_t vocab) { return vocab < 65500 ? TokenType::kU16 : TokenType::kI32; }

absl::StatusOr<IndexedDataset> IndexedDataset::Open(const std::string& prefix) {
  IndexedDataset d;
  d.prefix_ = prefix;
  for (const std::string& path : {d.idx_path(), d.bin_path()}) {
    if (!FileExists(path)) {
      return absl::NotFoundError(absl::StrCat(
          path, ": no such file; a data set is named by the prefix of its .bin and .idx, and `trainctl data ",
          "tokenize` makes one"));
    }
  }
  ASSIGN_OR_RETURN(d.idx_, MappedFile::Open(d.idx_path()));
  RETURN_IF_ERROR(d.CheckMagic());
  RETURN_IF_ERROR(d.ReadHeader());
  RETURN_IF_ERROR(d.OpenTokens());
  RETURN_IF_ERROR(d.CheckSequenceEnds());
  RETURN_IF_ERROR(d.CheckDocumentEnds());
  return d;
}

absl::Status IndexedDataset::CheckMagic() const {
  if (idx_.text().substr(0, kLegacyMagic.size()) == kLegacyMagic) {
    return absl::UnimplementedError(absl::StrCat(
        idx_path(),
        ": offset 0: an index of the old kind (magic TNTIDX, written by --dataset-impl cached or ",
        "lazy); make the data set again from its text"));
  }
  if (idx_.text().substr(0, kMagic.size()) == kMagic) return absl::OkStatus();
  return Corrupt(idx_path(), 0, "not an indexed data set (the magic MMIDIDX is missing)");
}

// Version, token type and counts, and whether the file has the size that they give.
absl::Status IndexedDataset::ReadHeader() {
  const std::span<const std::byte> idx = idx_.bytes();
  const auto size = static_cast<int64_t>(idx.size());
  if (size < kHeader) {
    return Corrupt(idx_path(), size, absl::StrCat("the file ends within its header of ", kHeader, " bytes"));
  }
  const auto version = Load<uint64_t>(idx, 9);
  if (version != 1) return Corrupt(idx_path(), 9, absl::StrCat("version is ", version, ", only 1 is known"));
  const auto code = Load<uint8_t>(idx, 17);
  if (code < 1 || code > 8) {
    return Corrupt(idx_path(), 17,
                   absl::StrCat("token type code is ", static_cast<int>(code), ", not 1 to 8"));
  }
  type_ = static_cast<TokenType>(code);
  const auto sequences = Load<uint64_t>(idx, 18);
  const auto entries = Load<uint64_t>(idx, 26);
  // Bounds first, so that the equation below cannot overflow.
  const auto limit = static_cast<uint64_t>(size);
  if (sequences > limit / 12) {
    return Corrupt(idx_path(), 18,
                   absl::StrCat(sequences, " sequences do not fit a file of ", size, " bytes"));
  }
  if (entries < 1 || entries > limit / 8) {
    return Corrupt(idx_path(), 26,
                   absl::StrCat(entries, " document entries do not fit a file of ", size, " bytes"));
  }
  sequences_ = static_cast<int64_t>(sequences);
  documents_ = static_cast<int64_t>(entries) - 1;
  const int64_t expected = kHeader + 12 * sequences_ + 8 * static_cast<int64_t>(entries);
  multimodal_ = sequences_ > 0 && size == expected + sequences_;
  if (size == expected || multimodal_) return absl::OkStatus();
  return Corrupt(idx_path(), size,
                 absl::StrCat("the file has ", size, " bytes; ", sequences, " sequences and ", documents_,
                              " documents need ", expected));
}

absl::Status IndexedDataset::OpenTokens() {
  bin_ = ::open(bin_path().c_str(), O_RDONLY | O_CLOEXEC);
  if (bin_ < 0) return ErrnoStatus(errno, bin_path());
  RaiseFileLimit(bin_);
  ASSIGN_OR_RETURN(bin_bytes_, FileSize(bin_path()));
  const int64_t item = ItemSize(type_);
  if (bin_bytes_ % item != 0) {
    return Corrupt(bin_path(), bin_bytes_, absl::StrCat("the size is not a multiple of ", item, " bytes"));
  }
  tokens_ = bin_bytes_ / item;
  return absl::OkStatus();
}

// The first and the last sequence tell whether the two files belong together, without a read of all between.
absl::Status IndexedDataset::CheckSequenceEnds() const {
  if (sequences_ == 0) {
    if (tokens_ == 0) return absl::OkStatus();
    return Corrupt(bin_path(), 0, "the file holds tokens, its index no sequence");
  }
  ASSIGN_OR_RETURN(const Range last, SequenceTokens(sequences_ - 1));
  if (last.end != tokens_) {
    return Corrupt(bin_path(), last.end * ItemSize(type_),
                   absl::StrCat("the last sequence ends here, the file at ", bin_bytes_));
  }
  ASSIGN_OR_RETURN(const int64_t begin, TokenBegin(0));
  if (begin == 0) return absl::OkStatus();
  return Corrupt(idx_path(), kHeader + 4 * sequences_, "the first sequence is not at 0");
}

absl::Status IndexedDataset::CheckDocumentEnds() const {
  const int64_t documents_at = kHeader + 12 * sequences_;
  if (DocumentAt(0) != 0) return Corrupt(idx_path(), documents_at, "the first document does not begin at 0");
  if (DocumentAt(documents_) == sequences_) return absl::OkStatus();
  return Corrupt(idx_path(), documents_at + 8 * documents_,
                 absl::StrCat("the documents end at sequence ", DocumentAt(documents_), " of ", sequences_));
}

IndexedDataset::IndexedDataset(IndexedDataset&& other) noexcept { *this = std::move(other); }

IndexedDataset& IndexedDataset::operator=(IndexedDataset&& other) noexcept {
  std::swap(prefix_, other.prefix_);
  std::swap(idx_, other.idx_);
  std::swap(bin_, other.bin_);
  std::swap(bin_bytes_, other.bin_bytes_);
  std::swap(type_, other.type_);
  std::swap(multimodal_, other.multimodal_);
  std::swap(sequences_, other.sequences_);
  std::swap(documents_, other.documents_);
  std::swap(tokens_, other.tokens_);
  return *this;
}

IndexedDataset::~IndexedDataset() {
  if (bin_ >= 0) ::close(bin_);
}

int32_t IndexedDataset::LengthAt(int64_t sequence) const {
  return Load<int32_t>(idx_.bytes(), kHeader + 4 * sequence);
}

std::span<const std::byte> IndexedDataset::length_bytes() const {
  return idx_.bytes().subspan(kHeader, static_cast<size_t>(4 * sequences_));
}

int64_t IndexedDataset::PointerAt(int64_t sequence) const {
  return Load<int64_t>(idx_.bytes(), kHeader + 4 * sequences_ + 8 * sequence);
}

int64_t IndexedDataset::DocumentAt(int64_t entry) const {
  return Load<int64_t>(idx_.bytes(), kHeader + 12 * sequences_ + 8 * entry);
}

absl::StatusOr<Range> IndexedDataset::SequenceTokens(int64_t sequence) const {
  CHECK(sequence >= 0 && sequence < sequences_) << sequence << " of " << sequences_;
  const int64_t length = LengthAt(sequence);
  const int64_t pointer = PointerAt(sequence);
  const int64_t item = ItemSize(type_);
  if (length < 0) {
    return Corrupt(idx_path(), kHeader + 4 * sequence,
                   absl::StrCat("the length of sequence ", sequence, " is ", length));
  }
  if (pointer < 0 || pointer % item != 0 || pointer > bin_bytes_ || length > (bin_bytes_ - pointer) / item) {
    return Corrupt(idx_path(), kHeader + 4 * sequences_ + 8 * sequence,
                   absl::StrCat("sequence ", sequence, " (", length, " tokens at byte ", pointer,
                                ") does not lie in a .bin file of ", bin_bytes_, " bytes"));
  }
  return Range{pointer / item, pointer / item + length};
}

absl::StatusOr<int64_t> IndexedDataset::TokenBegin(int64_t sequence) const {
  CHECK(sequence >= 0 && sequence <= sequences_) << sequence << " of " << sequences_;
  if (sequence == sequences_) return tokens_;
  ASSIGN_OR_RETURN(const Range tokens, SequenceTokens(sequence));
  return tokens.begin;
}

absl::StatusOr<Range> IndexedDataset::DocumentSequences(int64_t document) const {
  CHECK(document >= 0 && document < documents_) << document << " of " << documents_;
  const Range range{DocumentAt(document), DocumentAt(document + 1)};
  if (range.begin < 0 || range.end < range.begin || range.end > sequences_) {
    return Corrupt(idx_path(), kHeader + 12 * sequences_ + 8 * document,
                   absl::StrCat("document ", document, " spans sequences ", range.begin, " to ", range.end,
                                " of ", sequences_));
  }
  return range;
}

absl::StatusOr<Range> IndexedDataset::DocumentTokens(int64_t document) const {
  ASSIGN_OR_RETURN(const Range sequences, DocumentSequences(document));
  ASSIGN_OR_RETURN(const int64_t begin, TokenBegin(sequences.begin));
  if (sequences.size() == 0) return Range{begin, begin};
  ASSIGN_OR_RETURN(const Range last, SequenceTokens(sequences.end - 1));
  if (last.end < begin) {
    return Corrupt(idx_path(), kHeader + 4 * sequences_ + 8 * sequences.begin,
                   absl::StrCat("the sequences of document ", document, " are out of order"));
  }
  return Range{begin, last.end};
}

absl::Status IndexedDataset::Read(int64_t begin, std::span<int32_t> out, std::span<std::byte> scratch) const {
  const auto count = static_cast<int64_t>(out.size());
  const int64_t item = ItemSize(type_);
  CHECK(begin >= 0 && count <= tokens_ - begin) << begin << " + " << count << " of " << tokens_;
  CHECK_GE(static_cast<int64_t>(scratch.size()), count * item);
  RETURN_IF_ERROR(
      ReadWhole(bin_, bin_path(), begin * item, scratch.first(static_cast<size_t>(count * item))));
  switch (type_) {
    case TokenType::kU8:
      Widen<uint8_t>(scratch.data(), out);
      break;
    case TokenType::kI8:
      Widen<int8_t>(scratch.data(), out);
      break;
    case TokenType::kI16:
      Widen<int16_t>(scratch.data(), out);
      break;
    case TokenType::kU16:
      Widen<uint16_t>(scratch.data(), out);
      break;
    case TokenType::kI32:
      Widen<int32_t>(scratch.data(), out);
      break;
    case TokenType::kI64:
      Widen<int64_t>(scratch.data(), out);
      break;
    case TokenType::kF32:
    case TokenType::kF64:
      return absl::FailedPreconditionError(
          absl::StrCat(idx_path(), ": the items are ", Name(type_),
                       ", which are not token ids; name a data set of tokens"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int32_t>> IndexedDataset::ReadTokens(Range tokens) const {
  std::vector<int32_t> out(static_cast<size_t>(tokens.size()));
  std::vector<std::byte> scratch(out.size() * static_cast<size_t>(ItemSize(type_)));
  RETURN_IF_ERROR(Read(tokens.begin, out, scratch));
  return out;
}

void IndexedDataset::Expect(Access access) const {
  const bool in_order = access == Access::kInOrder;
  ::posix_fadvise(bin_, 0, 0, in_order ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
  const std::span<const std::byte> index = index_bytes();
  // The map is only read; madvise asks for a pointer that could be written.
  ::madvise(const_cast<std::byte*>(index.data()), index.size(), in_order ? MADV_SEQUENTIAL : MADV_RANDOM);
}

absl::Status IndexedDataset::ReadBytes(int64_t offset, std::span<std::byte> out) const {
  return ReadWhole(bin_, bin_path(), offset, out);
}

absl::Status IndexedDataset::Verify() const {
  Expect(Access::kInOrder);
  ASSIGN_OR_RETURN(IndexCursor cursor, IndexCursor::Open(*this));
  for (int64_t s = 0; s < sequences_; ++s) {
    if (absl::StatusOr<int32_t> length = cursor.NextSequence(); !length.ok()) return length.status();
  }
  for (int64_t d = 0; d < documents_; ++d) {
    if (absl::StatusOr<int64_t> count = cursor.NextDocument(); !count.ok()) return count.status();
  }
  // Both files once more: something may still write them.
  for (const auto& [path, size] : {std::pair{idx_path(), static_cast<int64_t>(idx_.bytes().size())},
                                   std::pair{bin_path(), bin_bytes_}}) {
    ASSIGN_OR_RETURN(const int64_t now, FileSize(path));
    if (now == size) continue;
    return absl::DataLossError(absl::StrCat(path, ": offset ", std::min(now, size), ": the file had ", size,
                                            " bytes when it was opened and has ", now,
                                            " now; something still writes it: verify it when that is done"));
  }
  return absl::OkStatus();
}

// Both ends and the sizes, not every byte: each rank opens all sources of a blend at every start. What damage
// between the ends does is found by the checksums of `data verify`.
absl::StatusOr<uint64_t> IndexedDataset::Fingerprint() const {
  Hasher hash;
  const int64_t sizes[2] = {static_cast<int64_t>(idx_.bytes().size()), bin_bytes_};
  hash.Add(std::as_bytes(std::span(sizes)));
  const size_t end = std::min<size_t>(idx_.bytes().size(), kFingerprintEnd);
  hash.Add(idx_.bytes().first(end));  // the header is in it
  hash.Add(idx_.bytes().last(end));
  std::vector<std::byte> part(static_cast<size_t>(std::min(bin_bytes_, kFingerprintEnd)));
  const auto size = static_cast<int64_t>(part.size());
  for (const int64_t at : {int64_t{0}, bin_bytes_ - size}) {
    RETURN_IF_ERROR(ReadWhole(bin_, bin_path(), at, part));
    hash.Add(part);
  }
  // A blend holds thousands of these maps, and most are never looked at again.
  idx_.Forget();
  return hash.Digest();
}

}  // namespace galley::data
