#include "runtime/data/store/indexed_dataset_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
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
  absl::Status PutBytes(std::span<const std::byte> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
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

// Every value of a spool, in order.
template <class T, class Use>
absl::Status ForEachValue(ByteSpool& spool, const Use& use) {
  return spool.ForEach([&](std::span<const std::byte> bytes) {
    for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
      T value;
      std::memcpy(&value, bytes.data() + at, sizeof(T));
      RETURN_IF_ERROR(use(value));
    }
    return absl::OkStatus();
  });
}

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

absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> IndexedDatasetWriter::Make(const std::string& prefix,
                                                                                 TokenType type,
                                                                                 DatasetOrigin origin,
                                                                                 std::string temporary) {
  CHECK(type != TokenType::kF32 && type != TokenType::kF64) << "tokens are whole numbers";
  RETURN_IF_ERROR(MakeDirs(DirName(prefix)));
  ASSIGN_OR_RETURN(FileWriter bin, FileWriter::Open(temporary + ".bin", FileWriter::Mode::kTruncate));
  return std::unique_ptr<IndexedDatasetWriter>(
      new IndexedDatasetWriter(prefix, type, std::move(origin), std::move(temporary), std::move(bin)));
}

absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> IndexedDatasetWriter::Create(const std::string& prefix,
                                                                                   TokenType type,
                                                                                   DatasetOrigin origin) {
  // The process id keeps two writers of one prefix apart; the last to finish wins.
  return Make(prefix, type, std::move(origin), absl::StrCat(prefix, ".partial-", ::getpid()));
}

absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> IndexedDatasetWriter::CreateResumable(
    const std::string& prefix, TokenType type, DatasetOrigin origin) {
  return Make(prefix, type, std::move(origin), prefix + ".partial");
}

absl::StatusOr<std::unique_ptr<IndexedDatasetWriter>> IndexedDatasetWriter::Resume(const std::string& prefix,
                                                                                   TokenType type,
                                                                                   DatasetOrigin origin,
                                                                                   const WriterMark& mark) {
  const std::string temporary = prefix + ".partial";
  std::string path = temporary + ".bin";
  const bool published = !FileExists(path);
  if (published) path = prefix + ".bin";
  ASSIGN_OR_RETURN(const int64_t size, FileSize(path));
  if (published ? size != mark.bin.bytes : size < mark.bin.bytes) {
    return absl::DataLossError(absl::StrCat(path, ": offset ", size, ": the file ends here, and had ",
                                            mark.bin.bytes, " bytes when it was left"));
  }
  if (!published && ::truncate(path.c_str(), mark.bin.bytes) != 0) return ErrnoStatus(errno, path);
  ASSIGN_OR_RETURN(FileWriter bin, FileWriter::Open(path, FileWriter::Mode::kAppend));
  auto writer = std::unique_ptr<IndexedDatasetWriter>(
      new IndexedDatasetWriter(prefix, type, std::move(origin), temporary, std::move(bin)));
  writer->keep_ = true;  // what was durable stays so, whatever follows
  writer->bin_published_ = published;
  RETURN_IF_ERROR(writer->GoOn(mark, path));
  return writer;
}

IndexedDatasetWriter::IndexedDatasetWriter(std::string prefix, TokenType type, DatasetOrigin origin,
                                           std::string temporary, FileWriter bin)
    : prefix_(std::move(prefix)),
      type_(type),
      origin_(std::move(origin)),
      temporary_(std::move(temporary)),
      bin_{.file = std::move(bin), .name = prefix_ + ".bin"},
      lengths_(temporary_ + ".lengths", prefix_ + ".idx"),
      counts_(temporary_ + ".documents", prefix_ + ".idx"),
      modes_(temporary_ + ".modes", prefix_ + ".idx") {}

absl::Status IndexedDatasetWriter::GoOn(const WriterMark& mark, const std::string& bin_path) {
  RETURN_IF_ERROR(lengths_.Reopen(mark.sequences * static_cast<int64_t>(sizeof(int32_t))));
  RETURN_IF_ERROR(counts_.Reopen(mark.documents * static_cast<int64_t>(sizeof(uint32_t))));
  documents_ = mark.documents;
  sequences_ = mark.sequences;
  tokens_ = mark.tokens;
  ids_below_ = mark.ids_below;
  bin_.written = mark.bin.bytes;
  bin_.sums.Continue(mark.bin);
  std::ifstream tail(bin_path, std::ios::binary);
  tail.seekg(mark.bin.bytes / kSumBlock * kSumBlock);
  std::vector<char> bytes(static_cast<size_t>(mark.bin.bytes % kSumBlock));
  tail.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bin_.sums.Add(std::as_bytes(std::span(bytes)));
  if (!tail || bin_.sums.SoFar() != mark.bin) {
    return absl::DataLossError(absl::StrCat(bin_path, ": before offset ", mark.bin.bytes,
                                            ": the tokens are not those that were written"));
  }
  return absl::OkStatus();
}

IndexedDatasetWriter::~IndexedDatasetWriter() {
  if (!keep_ && !finished_) RemoveTemporaries();
}

void IndexedDatasetWriter::RemoveTemporaries() {
  for (const char* end : {".bin", ".idx", ".galley.json"}) ::unlink((temporary_ + end).c_str());
  lengths_.Remove();
  counts_.Remove();
  modes_.Remove();
}

void IndexedDatasetWriter::Saw(int64_t smallest, int64_t largest) {
  if (smallest < 0) ids_below_.reset();
  if (ids_below_.has_value()) *ids_below_ = std::max(*ids_below_, largest + 1);
}

template <class Id>
void IndexedDatasetWriter::SawIds(std::span<const std::byte> bytes) {
  // Both begin at 0: an empty range changes nothing.
  Id smallest = 0, largest = 0;
  for (size_t at = 0; at < bytes.size(); at += sizeof(Id)) {
    Id id;
    std::memcpy(&id, bytes.data() + at, sizeof id);
    smallest = std::min(smallest, id);
    largest = std::max(largest, id);
  }
  if (!bytes.empty()) Saw(smallest, largest);
}

void IndexedDatasetWriter::SawBytes(std::span<const std::byte> bytes) {
  switch (type_) {
    case TokenType::kU8:
      return SawIds<uint8_t>(bytes);
    case TokenType::kI8:
      return SawIds<int8_t>(bytes);
    case TokenType::kI16:
      return SawIds<int16_t>(bytes);
    case TokenType::kU16:
      return SawIds<uint16_t>(bytes);
    case TokenType::kI32:
      return SawIds<int32_t>(bytes);
    case TokenType::kI64:
      return SawIds<int64_t>(bytes);
    case TokenType::kF32:
    case TokenType::kF64:
      ids_below_.reset();
  }
}

absl::Status IndexedDatasetWriter::WriteTokens(std::span<const int32_t> tokens) {
  if (!tokens.empty()) {
    const auto [smallest, largest] = std::minmax_element(tokens.begin(), tokens.end());
    Saw(*smallest, *largest);
  }
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
  std::vector<int32_t> held;
  std::vector<uint32_t> counts;
  for (const int32_t length : lengths) {
    if (length > 0) held.push_back(length);
    counts.push_back(length > 0 ? 1 : 0);
  }
  RETURN_IF_ERROR(AddSequenceLengths(held));
  return AddDocumentCounts(counts);
}

absl::Status IndexedDatasetWriter::AddSequences(std::span<const int32_t> tokens,
                                                std::span<const int32_t> lengths) {
  CHECK_EQ(std::accumulate(lengths.begin(), lengths.end(), int64_t{0}), static_cast<int64_t>(tokens.size()));
  RETURN_IF_ERROR(WriteTokens(tokens));
  RETURN_IF_ERROR(AddSequenceLengths(lengths));
  const auto count = static_cast<uint32_t>(lengths.size());
  return AddDocumentCounts(std::span(&count, 1));
}

absl::Status IndexedDatasetWriter::AddTokenBytes(std::span<const std::byte> bytes) {
  CHECK_EQ(static_cast<int64_t>(bytes.size()) % ItemSize(type_), 0);
  tokens_ += static_cast<int64_t>(bytes.size()) / ItemSize(type_);
  SawBytes(bytes);
  return bin_.Write(bytes);
}

absl::Status IndexedDatasetWriter::AddSequenceLengths(std::span<const int32_t> lengths) {
  sequences_ += static_cast<int64_t>(lengths.size());
  return lengths_.AddValues(lengths);
}

absl::Status IndexedDatasetWriter::AddDocumentCounts(std::span<const uint32_t> sequences) {
  documents_ += static_cast<int64_t>(sequences.size());
  return counts_.AddValues(sequences);
}

absl::Status IndexedDatasetWriter::AddModalities(std::span<const std::byte> modes) {
  return modes_.Add(modes);
}

absl::StatusOr<WriterMark> IndexedDatasetWriter::MakeDurable() {
  RETURN_IF_ERROR(Annotate(bin_.file.Sync(), bin_.name));
  RETURN_IF_ERROR(lengths_.MakeDurable());
  RETURN_IF_ERROR(counts_.MakeDurable());
  // The names too: a file that a crash takes out of its folder is not durable.
  RETURN_IF_ERROR(FsyncDir(DirName(prefix_)));
  return WriterMark{documents_, sequences_, tokens_, bin_.sums.SoFar(), ids_below_};
}

absl::Status IndexedDatasetWriter::WriteIndex(SummedFile& idx) {
  Stream out(idx);
  for (const char c : absl::string_view("MMIDIDX\0\0", 9)) RETURN_IF_ERROR(out.Put(c));
  RETURN_IF_ERROR(out.Put<uint64_t>(1));
  RETURN_IF_ERROR(out.Put(static_cast<uint8_t>(type_)));
  RETURN_IF_ERROR(out.Put(static_cast<uint64_t>(sequences_)));
  RETURN_IF_ERROR(out.Put(static_cast<uint64_t>(documents_) + 1));
  RETURN_IF_ERROR(lengths_.ForEach([&](std::span<const std::byte> bytes) { return out.PutBytes(bytes); }));
  int64_t pointer = 0;
  RETURN_IF_ERROR(ForEachValue<int32_t>(lengths_, [&](int32_t length) {
    const int64_t begin = pointer;
    pointer += length * ItemSize(type_);
    return out.Put(begin);
  }));
  int64_t sequence = 0;
  RETURN_IF_ERROR(out.Put(sequence));
  RETURN_IF_ERROR(ForEachValue<uint32_t>(counts_, [&](uint32_t count) {
    sequence += count;
    return out.Put(sequence);
  }));
  if (pointer != bin_.written || sequence != sequences_) {
    return absl::DataLossError(absl::StrCat(
        idx.name, ": its sequences hold ", pointer, " bytes and its documents ", sequence, " sequences; ",
        bin_.written, " bytes and ", sequences_, " sequences were written. Begin anew"));
  }
  RETURN_IF_ERROR(modes_.ForEach([&](std::span<const std::byte> bytes) { return out.PutBytes(bytes); }));
  return out.Flush();
}

absl::Status IndexedDatasetWriter::Complete() {
  RETURN_IF_ERROR(bin_.Close());
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Open(temporary_ + ".idx", FileWriter::Mode::kTruncate));
  SummedFile idx{.file = std::move(file), .name = prefix_ + ".idx"};
  RETURN_IF_ERROR(WriteIndex(idx));
  RETURN_IF_ERROR(idx.Close());
  const std::string text = ToJson({.origin = origin_,
                                   .type = type_,
                                   .documents = documents_,
                                   .sequences = sequences_,
                                   .tokens = tokens_,
                                   .ids_below = ids_below_,
                                   .idx = idx.sums.SoFar(),
                                   .bin = bin_.sums.SoFar()});
  ASSIGN_OR_RETURN(file, FileWriter::Open(temporary_ + ".galley.json", FileWriter::Mode::kTruncate));
  SummedFile info{.file = std::move(file), .name = DatasetInfoPath(prefix_)};
  RETURN_IF_ERROR(info.Write(std::as_bytes(std::span(text))));
  return info.Close();
}

absl::Status IndexedDatasetWriter::Publish() {
  CHECK(!finished_);
  // An older index must not meet the new tokens, were we to stop between the two renames.
  if (::unlink((prefix_ + ".idx").c_str()) != 0 && errno != ENOENT)
    return ErrnoStatus(errno, prefix_ + ".idx");
  if (!bin_published_) RETURN_IF_ERROR(RenameDurably(temporary_ + ".bin", prefix_ + ".bin"));
  RETURN_IF_ERROR(RenameDurably(temporary_ + ".galley.json", DatasetInfoPath(prefix_)));
  RETURN_IF_ERROR(RenameDurably(temporary_ + ".idx", prefix_ + ".idx"));
  finished_ = true;
  if (!keep_) RemoveTemporaries();
  return absl::OkStatus();
}

absl::Status IndexedDatasetWriter::Finish() {
  RETURN_IF_ERROR(Complete());
  return Publish();
}

}  // namespace galley::data
