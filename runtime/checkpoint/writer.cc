#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/folder.h"
#include "runtime/checkpoint/shard.h"
#include "runtime/tensor/arena.h"

namespace galley::checkpoint {
namespace {

constexpr int64_t kPiece = int64_t{4} << 20;  // hashed, then written, while the cache still has it

struct Save {
  int64_t step = 0;
  int64_t attempt = 0;
  std::vector<ShardPart> parts;
  std::function<void(ShardReport)> done;
};

class WriterImpl : public Writer {
 public:
  WriterImpl(std::string directory, int rank, int world, Buffer buffer)
      : directory_(std::move(directory)),
        file_(ShardFileName(rank, world)),
        buffer_(std::move(buffer)),
        thread_([this] { Run(); }) {}

  ~WriterImpl() override {
    WriterImpl::Wait();  // stop_ ends the thread between saves, never within one
    {
      MutexLock lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  absl::Status Snapshot(Stream& stream, int64_t step, int64_t attempt, const std::vector<Item>& items,
                        std::function<void(ShardReport)> done) override {
    if (busy()) {
      return absl::FailedPreconditionError(absl::StrCat("step ", step, ": the save of step ", save_.step,
                                                        " is still being written; wait for it"));
    }
    // The writing thread is idle, so the buffer and save_ are this thread's until busy_ is set.
    std::vector<size_t> order;
    std::vector<ShardPart> parts = PartsOf(items, order);
    CHECK_LE(TotalBytes(items), buffer_.size()) << "snapshot buffer";
    for (size_t i = 0; i < parts.size(); ++i) {
      const View& from = items[order[i]].view;
      Copy(stream, from, View(buffer_.data() + parts[i].begin, from.dtype, from.shape));
    }
    // The caller's next step overwrites the views, and the thread reads the
    // buffer: both only after the copies.
    Event arrived;
    arrived.Record(stream);
    arrived.Wait();
    {
      MutexLock lock(mutex_);
      save_ = {step, attempt, std::move(parts), std::move(done)};
      busy_ = true;
    }
    changed_.notify_all();
    return absl::OkStatus();
  }

  bool busy() const override {
    MutexLock lock(mutex_);
    return busy_;
  }

  void Wait() override {
    MutexLock lock(mutex_);
    changed_.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !busy_; });
  }

 private:
  void Run() {
    // A little behind the threads that train. On Linux the priority is the calling thread's own.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 5);
    for (;;) {
      {
        MutexLock lock(mutex_);
        changed_.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return busy_ || stop_; });
        if (!busy_) return;
      }
      ShardReport report;
      report.status = Write(report);
      // Outside the lock, since it may take long. Its captures end before busy_ does, which their owner
      // waits for.
      save_.done(std::move(report));
      save_.done = nullptr;
      {
        MutexLock lock(mutex_);
        busy_ = false;
      }
      changed_.notify_all();
    }
  }

  absl::Status Write(ShardReport& report) {
    report.file = file_;
    // The bytes are hashed twice: by tensor here, since the header that holds those sums comes first in the
    // file, and as a whole while the file is written.
    for (ShardPart& part : save_.parts) {
      part.xxh3 = Hex(Hash64({buffer_.data() + part.begin, static_cast<size_t>(part.bytes)}));
      report.tensors.push_back(part.name);
    }
    const std::string header = ShardHeader(save_.parts);
    const int64_t data_bytes = save_.parts.empty() ? 0 : save_.parts.back().begin + save_.parts.back().bytes;
    report.bytes = static_cast<int64_t>(header.size()) + data_bytes;

    const std::string folder = JoinPath(directory_, PartialFolder(save_.step, save_.attempt));
    RETURN_IF_ERROR(MakeDirs(folder));
    const std::string path = JoinPath(folder, file_);
    absl::Status status = WriteFile(path, header, data_bytes, report);
    if (!status.ok()) {
      ::unlink(path.c_str());  // its blocks may be what the disk lacks
      if (status.code() == absl::StatusCode::kResourceExhausted) return Full(path, report.bytes, status);
    }
    return status;
  }

  absl::Status WriteFile(const std::string& path, const std::string& header, int64_t data_bytes,
                         ShardReport& report) {
    RETURN_IF_ERROR(Reserve(path, report.bytes));
    ASSIGN_OR_RETURN(FileWriter writer, FileWriter::Open(path, FileWriter::Mode::kAppend));
    Hasher hasher;
    hasher.Add(std::as_bytes(std::span(header)));
    RETURN_IF_ERROR(writer.Write(header));
    for (int64_t at = 0; at < data_bytes; at += kPiece) {
      const std::span<const std::byte> piece(buffer_.data() + at,
                                             static_cast<size_t>(std::min(kPiece, data_bytes - at)));
      hasher.Add(piece);
      RETURN_IF_ERROR(writer.Write(piece));
    }
    report.xxh3 = Hex(hasher.Digest());
    // File, then folder, and only then the report: rank 0 renames the folder on the strength of the reports,
    // so by then every byte and every name in it must outlive a power cut.
    RETURN_IF_ERROR(writer.Sync());
    RETURN_IF_ERROR(writer.Close());
    return FsyncDir(DirName(path));
  }

  // Takes the blocks before the first byte is written, so that a full disk is noticed at once and not after
  // minutes; where the file system can not do that, by what it says is free. The length stays 0.
  static absl::Status Reserve(const std::string& path, int64_t bytes) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, path);
    int rc = 0;
    do {
      rc = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno;
    } while (rc == EINTR);
    ::close(fd);
    if (rc != EOPNOTSUPP && rc != ENOSYS) return rc == 0 ? absl::OkStatus() : ErrnoStatus(rc, path);
    auto available = FreeBytes(DirName(path));
    if (available.ok() && *available < bytes) return ErrnoStatus(ENOSPC, path);
    return absl::OkStatus();
  }

  absl::Status Full(const std::string& path, int64_t bytes, const absl::Status& status) {
    auto available = FreeBytes(directory_);
    return absl::ResourceExhaustedError(absl::StrCat(
        path, ": the checkpoint of step ", save_.step, " needs ", bytes, " bytes here, ", directory_, " has ",
        available.ok() ? absl::StrCat(*available) : "an unknown number", " free (", status.message(),
        "); free some, or set checkpoint.keep lower; the earlier checkpoints are kept"));
  }

  const std::string directory_;
  const std::string file_;
  Buffer buffer_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // while set, save_ and buffer_ belong to the writing thread
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  Save save_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

absl::StatusOr<std::unique_ptr<Writer>> Writer::Create(std::string directory, int rank, int world,
                                                       int64_t snapshot_bytes) {
  CHECK(rank >= 0 && rank < world) << rank << " of " << world;
  RETURN_IF_ERROR(MakeDirs(directory));
  // Buffer touches its pages, so the first snapshot does not pay for them.
  return std::make_unique<WriterImpl>(std::move(directory), rank, world, Buffer(Device(), snapshot_bytes));
}

}  // namespace galley::checkpoint
