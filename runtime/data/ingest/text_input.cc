#include "runtime/data/ingest/text_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/base/status.h"

namespace galley::data {
namespace {

constexpr size_t kBuffer = 256 << 10;

class PlainInput : public TextInput {
 public:
  PlainInput(std::string path, int fd) : TextInput(std::move(path), fd) {}
  absl::Status Skip(int64_t bytes) override {
    ASSIGN_OR_RETURN(const int64_t done, SeekFile(bytes));
    return TextInput::Skip(bytes - done);
  }

 protected:
  absl::StatusOr<size_t> ReadSome(std::span<char> out) override { return ReadFile(out); }
};

class GzipInput : public TextInput {
 public:
  GzipInput(std::string path, int fd) : TextInput(std::move(path), fd), buffer_(kBuffer) {
    inflateInit2(&stream_, 15 + 16);  // 16: with gzip's header and check sum
  }
  ~GzipInput() override { inflateEnd(&stream_); }

 protected:
  absl::StatusOr<size_t> ReadSome(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    // zlib counts in 32 bits.
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(out.size(), 1u << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) {
        ASSIGN_OR_RETURN(const size_t n, ReadFile(buffer_));
        if (n == 0 && inside_) return Damaged("the compressed text is cut off");
        if (n == 0) return 0;
        stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
        stream_.avail_in = static_cast<uInt>(n);
      }
      if (!inside_) inflateReset(&stream_);  // a file may be several members in a row
      inside_ = true;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        inside_ = false;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {  // Z_BUF_ERROR: more input is needed
        return Damaged(absl::StrCat("no gzip data: ", stream_.msg != nullptr ? stream_.msg : "damaged"));
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  std::vector<char> buffer_;
  z_stream stream_{};
  bool inside_ = false;  // of a member
};

class ZstdInput : public TextInput {
 public:
  ZstdInput(std::string path, int fd)
      : TextInput(std::move(path), fd), buffer_(kBuffer), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {}

 protected:
  absl::StatusOr<size_t> ReadSome(std::span<char> out) override {
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    while (to.pos == 0) {
      if (from_.pos == from_.size && !pending_) {
        ASSIGN_OR_RETURN(const size_t n, ReadFile(buffer_));
        if (n == 0 && inside_) return Damaged("the compressed text is cut off");
        if (n == 0) return 0;
        from_ = {buffer_.data(), n, 0};
      }
      const size_t left = ZSTD_decompressStream(stream_.get(), &to, &from_);
      if (ZSTD_isError(left)) return Damaged(absl::StrCat("no zstd data: ", ZSTD_getErrorName(left)));
      inside_ = left != 0;
      // A full buffer may have left output inside the decoder.
      pending_ = to.pos == to.size && inside_;
      if (to.pos == 0) pending_ = false;
    }
    return to.pos;
  }

 private:
  std::vector<char> buffer_;
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer from_{};
  bool inside_ = false;   // of a frame
  bool pending_ = false;  // ask the decoder before the file
};

}  // namespace

TextInput::Descriptor::~Descriptor() { ::close(fd); }

TextInput::TextInput(std::string path, int fd) : path_(std::move(path)), file_(fd) {
  struct stat info {};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) size_ = info.st_size;
}

absl::StatusOr<std::unique_ptr<TextInput>> TextInput::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, path);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (absl::EndsWith(path, ".gz")) return std::make_unique<GzipInput>(path, fd);
  if (absl::EndsWith(path, ".zst")) return std::make_unique<ZstdInput>(path, fd);
  return std::make_unique<PlainInput>(path, fd);
}

absl::StatusOr<size_t> TextInput::Read(std::span<char> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    ASSIGN_OR_RETURN(const size_t n, ReadSome(out.subspan(filled)));
    if (n == 0) break;
    filled += n;
  }
  return filled;
}

absl::Status TextInput::Skip(int64_t bytes) {
  std::vector<char> unused(static_cast<size_t>(std::min<int64_t>(bytes, kBuffer)));
  for (int64_t left = bytes; left > 0;) {
    ASSIGN_OR_RETURN(const size_t n,
                     Read(std::span(unused).first(static_cast<size_t>(std::min<int64_t>(left, kBuffer)))));
    if (n == 0) return Damaged(absl::StrCat("the text is ", left, " bytes shorter than it was"));
    left -= static_cast<int64_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> TextInput::SeekFile(int64_t bytes) {
  if (size_ < 0) return 0;
  const int64_t step = std::min(bytes, size_ - consumed_);
  if (::lseek(file_.fd, consumed_ + step, SEEK_SET) < 0) return ErrnoStatus(errno, path_);
  consumed_ += step;
  return step;
}

absl::StatusOr<size_t> TextInput::ReadFile(std::span<char> out) {
  while (true) {
    const ssize_t n = ::read(file_.fd, out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat(path_, ": read at offset ", consumed_));
    if (size_ >= 0 && (n == 0 ? consumed_ < size_ : consumed_ + n > size_)) {
      return absl::DataLossError(
          absl::StrCat(path_, ": offset ", n == 0 ? consumed_ : size_, ": the file ",
                       n == 0 ? "ends here" : "goes on here", ", and had ", size_,
                       " bytes when it was opened; something still writes it: begin when that is done"));
    }
    consumed_ += n;
    return static_cast<size_t>(n);
  }
}

absl::Status TextInput::Damaged(absl::string_view what) const {
  return absl::DataLossError(
      absl::StrCat(path_, ": before offset ", consumed_, ": ", what, "; fetch the file again"));
}

absl::string_view WithoutCompression(absl::string_view path) {
  if (!absl::ConsumeSuffix(&path, ".gz")) absl::ConsumeSuffix(&path, ".zst");
  return path;
}

}  // namespace galley::data
