// A tokenisation that is stopped anywhere goes on, and makes the very files of an undisturbed one; and lines
// that are left out by permission.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/data/ingest/tokenize.h"
#include "runtime/data/ingest/tokenize_state.h"
#include "runtime/data/store/testing.h"

namespace galley::data {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Files = std::map<std::string, std::string>;

class ResumeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(5);
    for (int f = 0; f < 3; ++f) {
      std::string text;
      for (int d = 0; d < 9000; ++d) {
        absl::StrAppend(&text, R"({"text": "file )", f, " document ", d, " ",
                        std::string(random() % 300, 'x'), "\"}\n", d % 50 == 0 ? "\n" : "");
      }
      WriteText(Path(absl::StrCat("f", f, ".jsonl")), text);
    }
    ASSERT_EQ(std::system(("gzip " + Path("f1.jsonl")).c_str()), 0);
    ASSERT_TRUE(MakeDirs(Path("whole")).ok());
    ASSERT_TRUE(MakeDirs(Path("cut")).ok());
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  TokenizeOptions Options(const std::string& folder) const {
    TokenizeOptions options;
    options.inputs = {Path("f0.jsonl"), Path("f1.jsonl.gz"), Path("f2.jsonl")};
    options.output = Path(folder + "/set");
    options.workers = 2;
    options.durable_bytes = 1 << 20;  // of 8 MiB
    return options;
  }
  absl::Status Run(const TokenizeOptions& options) { return Tokenize(*tokenizer_, options).status(); }
  Files Read(const std::string& folder) const {
    Files files;
    const std::vector<std::string> names = ListDir(Path(folder)).value();
    for (const std::string& name : names) files[name] = ReadText(Path(folder + "/" + name));
    return files;
  }
  // Tokenizes in a child process, which `prepare` may limit; its wait status.
  int RunChild(const TokenizeOptions& options, const std::function<void(pid_t)>& meanwhile,
               const std::function<void()>& prepare) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      prepare();
      ::_exit(Run(options).ok() ? 0 : 1);
    }
    meanwhile(pid);
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return status;
  }
  static bool Ended(pid_t pid) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid;
  }
  // Stops `options` in a bad line at the end of its first file, after its last durable point.
  TokenizeOptions Stopped() {
    WriteText(Path("f0.jsonl"), ReadText(Path("f0.jsonl")) + "{\"text\":1}\n");
    TokenizeOptions options = Options("cut");
    EXPECT_ERROR(Run(options), "the same command goes on after them");
    EXPECT_TRUE(FileExists(Path("cut/set.partial.json")));
    EXPECT_FALSE(FileExists(Path("cut/set.bin")));
    return options;
  }

  TempDir dir_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::MakeByteTokenizer();
};

// The kernel ends the process within the very write that reaches a size: of the tokens, of the index.
TEST_F(ResumeTest, AWriteThatEndsTheProcessAtAnyByte) {
  ASSERT_TRUE(Run(Options("whole")).ok());
  const Files whole = Read("whole");
  ASSERT_EQ(whole.size(), 3u);
  const auto size = static_cast<int64_t>(whole.at("set.bin").size());
  std::mt19937_64 random(6);
  int resumed = 0;
  for (int round = 0; round < 8; ++round) {
    ASSERT_TRUE(RemoveTree(Path("cut")).ok());
    ASSERT_TRUE(MakeDirs(Path("cut")).ok());
    // Twice, further on: a tokenisation that went on is stopped as well.
    int64_t limit = static_cast<int64_t>(random() % static_cast<uint64_t>(size));
    for (int stop = 0; stop < 2; ++stop) {
      const int status = RunChild(
          Options("cut"), [](pid_t) {},
          [&] {
            const rlimit bytes{static_cast<rlim_t>(limit), RLIM_INFINITY};
            const rlimit no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            ::setrlimit(RLIMIT_FSIZE, &bytes);
            ::signal(SIGXFSZ, SIG_DFL);
          });
      ASSERT_TRUE(WIFSIGNALED(status)) << limit << " of " << size;
      EXPECT_FALSE(FileExists(Path("cut/set.idx")));
      limit += static_cast<int64_t>(random() % static_cast<uint64_t>(size - limit));
    }
    const absl::StatusOr<TokenizeProgress> done = Tokenize(*tokenizer_, Options("cut"));
    ASSERT_TRUE(done.ok()) << done.status();
    resumed += done->resumed_documents > 0 ? 1 : 0;
    EXPECT_EQ(done->documents, 27000);
    ASSERT_EQ(*ListDir(Path("cut")), *ListDir(Path("whole"))) << limit;
    ASSERT_TRUE(Read("cut") == whole) << limit;  // megabytes: not to be printed
  }
  EXPECT_GT(resumed, 3);
}

// Killed whenever the folder has come to hold a file of some name: before, between and after the renames too.
TEST_F(ResumeTest, SigkillAtAnyTime) {
  ASSERT_TRUE(Run(Options("whole")).ok());
  const Files whole = Read("whole");
  std::mt19937_64 random(7);
  const std::vector<std::string> signs = {"set.partial.bin", "set.partial.json", "set.partial.json.next",
                                          "set.partial.idx", "set.bin",          "set.partial.galley.json",
                                          "set.galley.json", "set.idx"};
  for (int round = 0; round < 16; ++round) {
    ASSERT_TRUE(RemoveTree(Path("cut")).ok());
    ASSERT_TRUE(MakeDirs(Path("cut")).ok());
    const std::string sign = Path("cut/" + signs[static_cast<size_t>(round) % signs.size()]);
    RunChild(
        Options("cut"),
        [&](pid_t pid) {
          while (!FileExists(sign) && !Ended(pid)) {
          }
          for (uint64_t spin = random() % 2000000; spin > 0; --spin) __asm__ volatile("");
          ::kill(pid, SIGKILL);
        },
        [] {});
    // Whole under its names, or not there.
    if (FileExists(Path("cut/set.idx"))) {
      EXPECT_TRUE(ReadText(Path("cut/set.idx")) == whole.at("set.idx"));
      EXPECT_TRUE(ReadText(Path("cut/set.bin")) == whole.at("set.bin"));
    }
    const absl::Status status = Run(Options("cut"));
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(*ListDir(Path("cut")), *ListDir(Path("whole"))) << sign;
    ASSERT_TRUE(Read("cut") == whole) << sign;
  }
}

TEST_F(ResumeTest, ABadLineIsMendedByPermissionAndWhatWasDoneIsKept) {
  TokenizeOptions options = Stopped();
  options.skip_bad = 1;
  std::vector<std::string> bad;
  options.bad_line = [&bad](const std::string& line) { bad.push_back(line); };
  const absl::StatusOr<TokenizeProgress> done = Tokenize(*tokenizer_, options);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_GT(done->resumed_documents, 1000);
  EXPECT_EQ(done->documents, 27000);
  EXPECT_EQ(done->bad_lines, 1);
  EXPECT_THAT(bad, ElementsAre(HasSubstr("f0.jsonl:9181:9: the value of 'text' is not a string")));
  EXPECT_GT(done->SecondsLeft() + 1, 0);
  options.output = Path("whole/set");
  ASSERT_TRUE(Run(options).ok());
  EXPECT_TRUE(Read("cut") == Read("whole"));
}

TEST_F(ResumeTest, AStateOfAnotherTokenisationIsRefusedByName) {
  const TokenizeOptions options = Stopped();
  const Files before = Read("cut");
  const auto refused = [&](const TokenizeOptions& other, const std::string& why) {
    const absl::Status status = Run(other);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr("set.partial.json: "), HasSubstr(why), HasSubstr("`--restart`")));
    EXPECT_TRUE(Read("cut") == before);
  };
  TokenizeOptions other = options;
  other.json_key = "body";
  refused(other, "JSON key was 'text', now JSON key is 'body'");
  other = options;
  other.tokenizer_fingerprint = "0123456789abcdef";
  refused(other, "tokenizer fingerprint was ''");
  other = options;
  std::swap(other.inputs[0], other.inputs[2]);
  refused(other, "input 1 was ");
  other = options;
  other.inputs.pop_back();
  refused(other, "it had 3 input files, now there are 2");
  WriteText(Path("f2.jsonl"), ReadText(Path("f2.jsonl")) + "{\"text\":\"y\"}\n");
  refused(options, "input 3 was ");

  other = options;
  other.restart = true;
  other.skip_bad = 1;
  EXPECT_TRUE(Run(other).ok());
  EXPECT_EQ(Read("cut").size(), 3u);
}

TEST_F(ResumeTest, ADamagedStateIsRefused) {
  TokenizeOptions options = Stopped();
  const Files before = Read("cut");
  std::mt19937 random(8);
  const std::string state = before.at("set.partial.json");
  for (int i = 0; i < 50; ++i) {
    std::string bad = state;
    const size_t at = random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << random() % 8));
    WriteText(Path("cut/set.partial.json"), i % 5 == 0 ? state.substr(0, at) : bad);
    const absl::Status status = Run(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("set.partial.json: offset "), HasSubstr("`--restart`")));
  }
  WriteText(Path("cut/set.partial.json"), state);
  // The files that go with it are shorter than it says, or others.
  for (const char* name : {"set.partial.bin", "set.partial.lengths", "set.partial.documents"}) {
    const std::string& sound = before.at(name);
    const auto durable = ParseTokenizeState(state, "state")->written;
    const size_t needed = absl::EndsWith(name, "bin") ? static_cast<size_t>(durable.bin.bytes)
                                                      : static_cast<size_t>(4 * durable.documents);
    WriteText(Path(absl::StrCat("cut/", name)), sound.substr(0, needed - 1));
    EXPECT_ERROR(Run(options), absl::StrCat(name, ": offset ", needed - 1, ": the file ends here"));
    WriteText(Path(absl::StrCat("cut/", name)), sound);
  }
  std::string bin = before.at("set.partial.bin");
  bin[100] ^= 1;
  WriteText(Path("cut/set.partial.bin"), bin);
  EXPECT_ERROR(Run(options), "the tokens are not those that were written; `--restart` begins anew");
  options.restart = true;
  options.skip_bad = 1;
  EXPECT_TRUE(Run(options).ok());
  EXPECT_EQ(Read("cut").size(), 3u);
}

TEST_F(ResumeTest, TheStateIsWhatItWas) {
  Stopped();
  const TokenizeState state = **ReadTokenizeState(Path("cut/set"));
  EXPECT_EQ(state.input, 0);
  EXPECT_GT(state.written.documents, 1000);
  EXPECT_EQ(state.next_line, state.written.documents + 1 + (state.written.documents + 49) / 50);
  EXPECT_EQ(ToJson(state), ReadText(Path("cut/set.partial.json")));
}

TEST_F(ResumeTest, OneProcessAtATime) {
  TokenizeOptions options = Options("cut");
  absl::Status second;
  options.bad_line = [&](const std::string&) { second = Run(Options("cut")); };
  WriteText(Path("f0.jsonl"), "{\"text\":1}\n" + ReadText(Path("f0.jsonl")));
  options.skip_bad = 1;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(second.message(), HasSubstr("set: another process writes it"));
}

TEST_F(ResumeTest, BadLinesAreCountedAndNamedWhateverTheWorkers) {
  std::string text;
  for (int d = 0; d < 50000; ++d) {
    absl::StrAppend(&text,
                    d % 10000 == 7 ? "no JSON\n" : absl::StrCat("{\"text\":\"line ", d, " of many\"}\n"));
  }
  WriteText(Path("bad.jsonl"), text);
  for (const int workers : {1, 3}) {
    TokenizeOptions options = Options("cut");
    options.inputs = {Path("bad.jsonl")};
    options.workers = workers;
    options.skip_bad = 5;
    std::vector<std::string> bad;
    options.bad_line = [&bad](const std::string& line) { bad.push_back(line); };
    const absl::StatusOr<TokenizeProgress> done = Tokenize(*tokenizer_, options);
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_EQ(done->bad_lines, 5);
    EXPECT_EQ(done->documents, 49995);
    ASSERT_EQ(bad.size(), 5u);
    for (int i = 0; i < 5; ++i) {
      EXPECT_THAT(bad[static_cast<size_t>(i)], HasSubstr(absl::StrCat("bad.jsonl:", 10000 * i + 8, ":1: ")));
    }
    options.skip_bad = 4;
    options.output = Path("cut/other");
    EXPECT_ERROR(Run(options), "bad.jsonl:40008:1: the line is not a JSON object");
    EXPECT_ERROR(Run(options), "(4 others were left out, as --skip-bad allows)");
  }
}

TEST_F(ResumeTest, AFileThatGrowsIsNoticed) {
  TokenizeOptions options = Options("cut");
  options.inputs = {Path("f0.jsonl")};
  options.workers = 1;
  bool grown = false;
  // Called between chunks: the file is half read.
  options.skip_bad = 1;
  WriteText(Path("f0.jsonl"), "{\"text\":1}\n" + ReadText(Path("f0.jsonl")) + std::string(16 << 20, '\n'));
  const int64_t size = *FileSize(Path("f0.jsonl"));
  options.bad_line = [&](const std::string&) {
    grown = true;
    FileWriter more = *FileWriter::Open(Path("f0.jsonl"), FileWriter::Mode::kAppend);
    ASSERT_TRUE(more.Write(absl::string_view("{\"text\":\"late\"}\n")).ok());
  };
  EXPECT_ERROR(Run(options), absl::StrCat("f0.jsonl: offset ", size, ": the file goes on here"));
  EXPECT_TRUE(grown);
  ASSERT_TRUE(RemoveTree(Path("cut")).ok());
  options.bad_line = [&](const std::string&) {
    ASSERT_EQ(::truncate(Path("f0.jsonl").c_str(), size / 2), 0);
  };
  EXPECT_ERROR(Run(options), "f0.jsonl: offset ");
}

TEST_F(ResumeTest, APipeIsReadAndKeepsNoState) {
  TokenizeOptions options = Options("cut");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string text = "one\n\ntwo\n";
  ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  options.inputs = {absl::StrCat("/dev/fd/", ends[0])};
  options.durable_bytes = 1;
  const absl::StatusOr<TokenizeProgress> done = Tokenize(*tokenizer_, options);
  ::close(ends[0]);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->documents, 2);
  EXPECT_EQ(Read("cut").size(), 3u);
}

}  // namespace
}  // namespace galley::data
