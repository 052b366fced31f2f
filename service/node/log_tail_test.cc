#include <gtest/gtest.h>

#include <string>

#include "runtime/base/file.h"
#include "service/node/attempt.h"

namespace galley::service {
namespace {

TEST(LogTail, IsValidTextOfTheLastLines) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "log");
  EXPECT_EQ(LogTail(path), "");
  ASSERT_TRUE(AtomicWrite(path, "first line\nsecond line\n").ok());
  EXPECT_EQ(LogTail(path), "first line\nsecond line\n");
  EXPECT_EQ(LogTail(path, 15), "second line\n");
  ASSERT_TRUE(
      AtomicWrite(path, std::string("gr\xc3\xbc\xc3 \xff\xed\xa0\x80 \0 \xe2\x82\xac \xe2\x82", 19)).ok());
  EXPECT_EQ(LogTail(path), "gr\xc3\xbc? ???? ? \xe2\x82\xac ??");
}

}  // namespace
}  // namespace galley::service
