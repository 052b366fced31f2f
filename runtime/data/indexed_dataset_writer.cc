#include "runtime/data/indexed_dataset_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr size_t kBuffer = 1 << 20;  // bytes

// Little-endian values into a file, by way of a buffer.
template <class File>
class Stream {
 public:
  explicit Stream(File& file) : file_(file) {}
  template <class T>
  absl::Status Put(T value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    buffer_.insert(buffer_.end(), bytes, bytes + sizeof(value));
    return buffer_.size() >= kBuffer ? Flush() : absl::OkStatus();
  }
  absl::Status Flush() {
    RETURN_IF_ERROR(file_.Write(buffer_));
    buffer_.clear();
    return absl::OkStatus();
  }

 private:
  File& file_;
  std::vector<std::byte> buffer_;
};

template <class T>
void Narrow(std::span<const int32_t> tokens, std::byte* out) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const T value = static_cast<T>(tokens[i]);
    std::memcpy(out + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

absl::Status IndexedDatasetWriter::SummedFile::Write(std::span<const std::byte> bytes) {
  RETURN_IF_ERROR(Annotate(file.Write(bytes), absl::StrCat(name, ": after offset ", written)));
  sums.Add(bytes);
  written += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::SummedFile::Close() {
  const std::string subject = absl::StrCat(name, ": at its end, ", written);
  RETURN_IF_ERROR(Annotate(file.Sync(), subject));
  return Annotate(file.Close(), subject);
}

absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> IndexedDatasetWriter::Create(const std::string& prefix,
                                                                                   TokenType type,
                                                                                   DatasetOrigin origin) {
  CHECK(type != TokenType::kF32 && type != TokenType::kF64) << "tokens are whole numbers";
  RETURN_IF_ERROR(MakeDirs(DirName(prefix)));
  // The process id keeps two writers of one prefix apart; the last to finish wins.
  std::string temporary = absl::StrCat(prefix, ".partial-", ::getpid());
  ASSIGN_OR_RETURN(FileWriter bin, FileWriter::Open(temporary + ".bin", FileWriter::Mode::kTruncate));
  return std::unique_ptr<IndexedDatasetWriter>(
      new IndexedDatasetWriter(prefix, type, std::move(origin), std::move(temporary), std::move(bin)));
}

IndexedDatasetWriter::IndexedDatasetWriter(std::string prefix, TokenType type, DatasetOrigin origin,
                                           std::string temporary, FileWriter bin)
    : prefix_(std::move(prefix)),
      type_(type),
      origin_(std::move(origin)),
      temporary_(std::move(temporary)),
      bin_{.file = std::move(bin), .name = prefix_ + ".bin"} {}

IndexedDatasetWriter::~IndexedDatasetWriter() {
  if (finished_) return;
  for (const char* end : {".bin", ".idx", ".galley.json"}) ::unlink((temporary_ + end).c_str());
}

absl::Status IndexedDatasetWriter::WriteTokens(std::span<const int32_t> tokens) {
  const auto item = static_cast<size_t>(ItemSize(type_));
  const size_t step = kBuffer / item;
  buffer_.resize(kBuffer);
  for (size_t at = 0; at < tokens.size(); at += step) {
    const std::span<const int32_t> part = tokens.subspan(at, std::min(step, tokens.size() - at));
    switch (item) {
      case 1:
        Narrow<uint8_t>(part, buffer_.data());
        break;
      case 2:
        Narrow<uint16_t>(part, buffer_.data());
        break;
      case 4:
        Narrow<int32_t>(part, buffer_.data());
        break;
      default:
        Narrow<int64_t>(part, buffer_.data());
    }
    RETURN_IF_ERROR(bin_.Write(std::span<const std::byte>(buffer_).first(part.size() * item)));
  }
  tokens_ += static_cast<int64_t>(tokens.size());
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::AddDocument(std::span<const int32_t> tokens) {
  const auto length = static_cast<int32_t>(tokens.size());
  return AddDocuments(tokens, std::span(&length, 1));
}

absl::Status IndexedDatasetWriter::AddDocuments(std::span<const int32_t> tokens,
                                                std::span<const int32_t> lengths) {
  CHECK_EQ(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}), static_cast<int64_t>(tokens.size()));
  RETURN_IF_ERROR(WriteTokens(tokens));
  for (const int32_t length : lengths) {
    if (length > 0) lengths_.push_back(length);
    document_sequences_.push_back(length > 0 ? 1 : 0);
  }
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::AddSequences(std::span<const int32_t> tokens,
                                                std::span<const int32_t> lengths) {
  CHECK_EQ(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}), static_cast<int64_t>(tokens.size()));
  RETURN_IF_ERROR(WriteTokens(tokens));
  lengths_.insert(lengths_.end(), lengths.begin(), lengths.end());
  document_sequences_.push_back(static_cast<uint32_t>(lengths.size()));
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::WriteIndex(SummedFile& idx) const {
  Stream out(idx);
  for (const char c : absl::string_view("MMIDIDX\0\0", 9)) RETURN_IF_ERROR(out.Put(c));
  RETURN_IF_ERROR(out.Put<uint64_t>(1));
  RETURN_IF_ERROR(out.Put(static_cast<uint8_t>(type_)));
  RETURN_IF_ERROR(out.Put<uint64_t>(lengths_.size()));
  RETURN_IF_ERROR(out.Put<uint64_t>(document_sequences_.size() + 1));
  for (const int32_t length : lengths_) RETURN_IF_ERROR(out.Put(length));
  int64_t pointer = 0;
  for (const int32_t length : lengths_) {
    RETURN_IF_ERROR(out.Put(pointer));
    pointer += length * ItemSize(type_);
  }
  int64_t sequence = 0;
  RETURN_IF_ERROR(out.Put(sequence));
  for (const uint32_t count : document_sequences_) {
    sequence += count;
    RETURN_IF_ERROR(out.Put(sequence));
  }
  return out.Flush();
}

absl::Status IndexedDatasetWriter::Finish() {
  CHECK(!finished_);
  RETURN_IF_ERROR(bin_.Close());
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Open(temporary_ + ".idx", FileWriter::Mode::kTruncate));
  SummedFile idx{.file = std::move(file), .name = prefix_ + ".idx"};
  RETURN_IF_ERROR(WriteIndex(idx));
  RETURN_IF_ERROR(idx.Close());
  const std::string text = ToJson({.origin = origin_,
                                   .type = type_,
                                   .documents = documents(),
                                   .sequences = static_cast<int64_t>(lengths_.size()),
                                   .tokens = tokens_,
                                   .idx = idx.sums.Finish(),
                                   .bin = bin_.sums.Finish()});
  ASSIGN_OR_RETURN(file, FileWriter::Open(temporary_ + ".galley.json", FileWriter::Mode::kTruncate));
  SummedFile info{.file = std::move(file), .name = DatasetInfoPath(prefix_)};
  RETURN_IF_ERROR(info.Write(std::as_bytes(std::span(text))));
  RETURN_IF_ERROR(info.Close());
  // An older index must not meet the new tokens, were we to stop between the two renames.
  if (::unlink((prefix_ + ".idx").c_str()) != 0 && errno != ENOENT)
    return ErrnoStatus(errno, prefix_ + ".idx");
  RETURN_IF_ERROR(RenameDurably(temporary_ + ".bin", prefix_ + ".bin"));
  RETURN_IF_ERROR(RenameDurably(temporary_ + ".galley.json", DatasetInfoPath(prefix_)));
  RETURN_IF_ERROR(RenameDurably(temporary_ + ".idx", prefix_ + ".idx"));
  finished_ = true;
  return absl::OkStatus();
}

}  // namespace galley::data
