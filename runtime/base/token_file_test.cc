#include "runtime/base/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runtime/base/file.h"

namespace galley {
namespace {

using testing::HasSubstr;

TEST(TokenFile, ItsFirstLineWithoutBlanks) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "token");
  ASSERT_TRUE(AtomicWrite(path, "  secret \r\nand a remark\n", 0600).ok());
  EXPECT_EQ(ReadTokenFile(path).value(), "secret");
  ASSERT_TRUE(AtomicWrite(path, "secret", 0600).ok());
  EXPECT_EQ(ReadTokenFile(path).value(), "secret");
}

TEST(TokenFile, RefusalsNameTheFile) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "token");
  EXPECT_TRUE(absl::IsNotFound(ReadTokenFile(path).status()));
  ASSERT_TRUE(AtomicWrite(path, "\nsecret\n", 0600).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ReadTokenFile(path).status()));
  ASSERT_TRUE(AtomicWrite(path, "secret\n", 0600).ok());
  for (const mode_t open_to_some : {0640, 0604, 0620}) {
    ASSERT_EQ(chmod(path.c_str(), open_to_some), 0);
    const absl::Status status = ReadTokenFile(path).status();
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": open to other users; chmod 600"));
  }
}

}  // namespace
}  // namespace galley
