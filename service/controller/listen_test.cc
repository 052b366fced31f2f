#include "service/controller/listen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/file.h"
#include "service/controller/logs.h"

namespace galley::service {
namespace {

using testing::HasSubstr;

int Bind(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  EXPECT_EQ(bind(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST(Listen, LoopbackIsToldFromTheRest) {
  for (const char* yes : {"localhost:1", "127.0.0.1:0", "127.1.2.3:80", "[::1]:9"})
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  for (const char* no : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "host:1", "1270.0.0.1:1"})
    EXPECT_FALSE(IsLoopback(no)) << no;
}

TEST(Listen, ADeadSocketIsReplacedAndALivingOneIsNot) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "s/c.sock");
  ASSERT_TRUE(PrepareSocket(path).ok());
  const int fd = Bind(path);
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(PrepareSocket(path)));
  close(fd);
  EXPECT_TRUE(PrepareSocket(path).ok());
  EXPECT_FALSE(FileExists(path));
  ASSERT_TRUE(AtomicWrite(path, "mine").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(PrepareSocket(path)));  // never somebody's file
  EXPECT_TRUE(FileExists(path));
}

TEST(Listen, APathThatIsTooLongIsToldWithTheLimit) {
  EXPECT_THAT(std::string(PrepareSocket("/tmp/" + std::string(120, 'x')).message()), HasSubstr("107"));
}

TEST(Logs, NamesAndOrder) {
  LogFile file;
  EXPECT_TRUE(ParseLogName("attempt-3.rank-12.log", &file));
  EXPECT_EQ(file.attempt, 3);
  EXPECT_EQ(file.rank, 12);
  for (const char* no :
       {"controller.log", "attempt-3.log", "attempt-x.rank-1.log", "attempt-1.rank-1.log.gz"}) {
    EXPECT_FALSE(ParseLogName(no, &file)) << no;
  }
}

TEST(Logs, WholeLinesAsTheyGrowAndTheRestAtTheEnd) {
  TempDir dir;
  const std::string path = JoinPath(dir.path(), "logs/attempt-1.rank-0.log");
  ASSERT_TRUE(MakeDirs(DirName(path)).ok());
  auto writer = FileWriter::Open(path, FileWriter::Mode::kAppend).value();
  LogReader reader(dir.path(), -1, 0);
  std::string text;
  const auto give = [&](const v1::LogChunk& chunk) {
    text += chunk.text();
    return true;
  };
  ASSERT_TRUE(writer.Write("one\ntw").ok());
  reader.ReadNew(false, give);
  EXPECT_EQ(text, "one\n");
  ASSERT_TRUE(writer.Write("o\n").ok());
  reader.ReadNew(false, give);
  EXPECT_EQ(text, "one\ntwo\n");
  const std::string long_line(200000, 'x');
  ASSERT_TRUE(writer.Write(long_line + "\nend").ok());
  reader.ReadNew(false, give);
  EXPECT_EQ(text, "one\ntwo\n" + long_line + "\n");
  reader.ReadNew(true, give);
  EXPECT_EQ(text, "one\ntwo\n" + long_line + "\nend");
}

}  // namespace
}  // namespace galley::service
