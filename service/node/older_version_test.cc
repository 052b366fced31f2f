#include "service/node/older_version.h"

#include <gtest/gtest.h>

namespace galley::service {
namespace {

// As the version before EnsureAttempt.common wrote it: two ranks; exporters jsonl, prometheus, and one of a
// kind that is not known.
constexpr char kOlder[] =
    "\012\005run-1\022\004fake\032\002/r \003*\025\012\005run-1 "
    "\0030\0028\004R\002abb\002/c*\027\012\005run-1 "
    "\003(\0010\0028\004R\002abb\002/c0<:S[{\"kind\":\"jsonl\"},{\"kind\":\"prometheus\",\"listen\":"
    "\"127.0.0.1:9464\"},{\"kind\":\"other\"}]";

v1::EnsureAttempt Older() {
  v1::EnsureAttempt ensure;
  EXPECT_TRUE(ensure.ParseFromArray(kOlder, sizeof kOlder - 1));
  return ensure;
}

TEST(OlderVersion, RanksAndExportersAreRead) {
  v1::EnsureAttempt ensure = Older();
  FromOlderVersion(ensure);
  EXPECT_EQ(ensure.attempt(), 3);
  EXPECT_EQ(ensure.hang_seconds(), 60);
  EXPECT_EQ(ensure.common().world(), 2);
  EXPECT_EQ(ensure.common().threads(), 4);
  EXPECT_EQ(ensure.common().plan_hash(), "ab");
  EXPECT_EQ(ensure.common().checkpoint_dir(), "/c");
  ASSERT_EQ(ensure.ranks_size(), 2);
  EXPECT_EQ(ensure.ranks(0).rank(), 0);
  EXPECT_EQ(ensure.ranks(1).rank(), 1);
  ASSERT_EQ(ensure.exporters_size(), 3);
  EXPECT_EQ(ensure.exporters(0).kind(), v1::ExporterKind::JSONL);
  EXPECT_EQ(ensure.exporters(1).kind(), v1::ExporterKind::PROMETHEUS);
  EXPECT_EQ(ensure.exporters(1).listen(), "127.0.0.1:9464");
  EXPECT_EQ(ensure.exporters(2).kind(), v1::ExporterKind::UNKNOWN);
  // Nothing is left to be read twice, from the state file of this version.
  const std::string once = ensure.SerializeAsString();
  FromOlderVersion(ensure);
  EXPECT_EQ(ensure.SerializeAsString(), once);
}

TEST(OlderVersion, ExportersThatCannotBeReadAreAProblemAndNotSilence) {
  v1::EnsureAttempt ensure;
  ASSERT_TRUE(ensure.ParseFromString(std::string(":\003[{\"", 5)));  // exporters_json
  FromOlderVersion(ensure);
  ASSERT_EQ(ensure.exporters_size(), 1);
  EXPECT_EQ(ensure.exporters(0).kind(), v1::ExporterKind::UNKNOWN);
}

}  // namespace
}  // namespace galley::service
