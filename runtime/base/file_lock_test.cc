#include "runtime/base/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

using ::testing::HasSubstr;

// flock belongs to an open file, so that this process can stand for two.
TEST(FileLockTest, IsHeldOnceAndNamesItsHolder) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "lock");
  {
    absl::StatusOr<FileLock> first = FileLock::Take(path);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(*ReadFile(path), absl::StrCat(getpid(), "\n"));
    const absl::Status second = FileLock::Take(path).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
    EXPECT_THAT(second.message(), HasSubstr(absl::StrCat(path, ": locked by pid ", getpid())));
  }
  EXPECT_TRUE(FileExists(path));
  EXPECT_TRUE(FileLock::Take(path).ok());
}

TEST(FileLockTest, RemovesItsFileWhenAskedToAndOnlyItsOwn) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "lock");
  std::optional<FileLock> first = *FileLock::Take(path, {.remove = true});
  EXPECT_FALSE(FileLock::Take(path, {.remove = true}).ok());
  EXPECT_TRUE(FileExists(path));  // the one that was refused leaves the holder's file alone
  FileLock moved = *std::move(first);
  first.reset();
  EXPECT_TRUE(FileExists(path));
  { const FileLock last = std::move(moved); }
  EXPECT_FALSE(FileExists(path));
}

TEST(FileLockTest, NamesThePathOfAFolderThatIsMissing) {
  const absl::Status status = FileLock::Take("/no/such/folder/lock").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/no/such/folder/lock"));
}

}  // namespace
}  // namespace galley
