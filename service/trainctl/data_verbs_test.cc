// The data verbs as a user runs them: output, streams and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/file.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

struct Ran {
  int code = -1;
  std::string out, err;
};

class DataVerbs : public testing::Test {
 protected:
  Ran Trainctl(const std::string& arguments) const {
    const std::string out = Path("stdout"), err = Path("stderr");
    const std::string command =
        "cd " + dir_.path() + " && " GALLEY_BIN_DIR "/trainctl " + arguments + " >" + out + " 2>" + err;
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadFile(out).value(), ReadFile(err).value()};
  }
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  void Write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(AtomicWrite(Path(name), text).ok());
  }
  TempDir dir_;
};

TEST_F(DataVerbs, TokenizeThenInspect) {
  Write("a.jsonl", "{\"body\":\"one\"}\n{\"body\":\"four\"}\n");
  const Ran made = Trainctl(
      "data tokenize --input a.jsonl --json-key body --tokenizer bytes --output-prefix sub/p -o json");
  ASSERT_EQ(made.code, kOk) << made.err;
  const Json json = Json::parse(made.out);
  EXPECT_EQ(json["path"], "sub/p_body_document");
  EXPECT_EQ(json["documents"], 2);
  EXPECT_EQ(json["tokens"], 7);
  EXPECT_EQ(json["token_type"], "u16");

  const Ran table = Trainctl("data inspect sub/p_body_document");
  EXPECT_EQ(table.code, kOk);
  EXPECT_THAT(table.out, HasSubstr("TOKENS       7 (3.5 a document)\n"));
  const Json summary = Json::parse(Trainctl("data inspect sub/p_body_document.bin -o json").out);
  EXPECT_EQ(summary["sequences"], 2);
  EXPECT_EQ(summary["bin_bytes"], 14);

  EXPECT_EQ(Trainctl("data inspect sub/p_body_document --document 1").out, "102 111 117 114\n");
  EXPECT_EQ(Trainctl("data inspect sub/p_body_document --document 1 --tokenizer bytes").out, "four\n");
  const Json document =
      Json::parse(Trainctl("data inspect sub/p_body_document --document 1 --tokenizer bytes -o jsonl").out);
  EXPECT_EQ(document["text"], "four");
  EXPECT_EQ(document["first_token"], 3);
}

TEST_F(DataVerbs, TokenizeTextAsATable) {
  Write("a.txt", "one\n\ntwo\nthree\n");
  const Ran made = Trainctl("data tokenize --input a.txt --tokenizer bytes --output-prefix p --workers 2");
  ASSERT_EQ(made.code, kOk) << made.err;
  EXPECT_THAT(made.out, HasSubstr("PATH        p_text_document\nDOCUMENTS   2\nTOKENS      15\n"));
  EXPECT_EQ(
      Trainctl("data tokenize --input a.txt --tokenizer bytes --output-prefix p --document line -o name").out,
      "p_text_document\n");
  EXPECT_THAT(Trainctl("data inspect p_text_document").out, HasSubstr("DOCUMENTS    3\n"));
}

TEST_F(DataVerbs, TokenizeLeavesOutBadLinesByPermission) {
  Write("bad.jsonl", "{\"text\":\"x\"}\n{\"text\":2}\n{}\n{\"text\":\"y\"}\n");
  const std::string command = "data tokenize --input bad.jsonl --tokenizer bytes --output-prefix p -o json ";
  const Ran made = Trainctl(command + "--skip-bad 2");
  ASSERT_EQ(made.code, kOk) << made.err;
  EXPECT_EQ(
      made.err,
      "trainctl: left out: bad.jsonl:2:9: the value of 'text' is no string; every line must be a JSON object "
      "with a string under 'text'\n"
      "trainctl: left out: bad.jsonl:3:4: the object has no key 'text'; every line must be a JSON object "
      "with "
      "a string under 'text'\n");
  EXPECT_EQ(Json::parse(made.out)["bad_lines"], 2);
  EXPECT_EQ(Json::parse(made.out)["documents"], 2);
  EXPECT_EQ(Trainctl(command + "--skip-bad 1").code, kError);
  EXPECT_EQ(Trainctl(command + "--skip-bad -1").code, kUsage);
}

TEST_F(DataVerbs, TokenizeGoesOnWhereItWasStopped) {
  std::string text;
  const std::string line = "{\"text\":\"" + std::string(1000, 'x') + "\"}\n";
  for (int i = 0; i < 40000; ++i) text += line;
  Write("a.jsonl", text + "cut off he");
  const std::string command = "data tokenize --input a.jsonl --tokenizer bytes --output-prefix p -o json ";
  const Ran stopped = Trainctl(command);
  EXPECT_EQ(stopped.code, kError);
  EXPECT_THAT(stopped.err, HasSubstr("a.jsonl:40001:1: the line is no JSON object"));
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on after them"));
  const Ran other = Trainctl(command + "--special-tokens-in-text");
  EXPECT_EQ(other.code, kConflict);
  EXPECT_THAT(other.err,
              HasSubstr("p_text_document.partial.json: a tokenisation to this prefix was stopped"));
  const Ran done = Trainctl(command + "--skip-bad 1");
  ASSERT_EQ(done.code, kOk) << done.err;
  EXPECT_GT(Json::parse(done.out)["resumed_documents"], 30000);
  EXPECT_EQ(Json::parse(done.out)["documents"], 40000);
  EXPECT_FALSE(FileExists(Path("p_text_document.partial.json")));
  EXPECT_EQ(Trainctl("data verify p_text_document").code, kOk);
}

TEST_F(DataVerbs, VerifyNamesWhatIsNotAsItWasWritten) {
  Write("a.txt", "one\n\ntwo\nthree\n");
  ASSERT_EQ(Trainctl("data tokenize --input a.txt --tokenizer bytes --output-prefix p").code, kOk);
  const Ran sound = Trainctl("data verify p_text_document");
  EXPECT_EQ(sound.code, kOk) << sound.err;
  EXPECT_THAT(sound.out, HasSubstr("TOKENIZER  bytes, without end-of-document ids\nCHECKSUMS  compared\n"
                                   "IDS        held to a vocabulary of 256\nFAULTS     0\n"));
  EXPECT_EQ(Trainctl("data verify p_text_document.idx --tokenizer bytes -o name").out, "p_text_document\n");

  std::string bin = ReadFile(Path("p_text_document.bin")).value();
  bin[4] ^= 1;
  Write("p_text_document.bin", bin);
  const Ran flipped = Trainctl("data verify p_text_document -o json");
  EXPECT_EQ(flipped.code, kError);
  EXPECT_EQ(flipped.err, "");
  const Json json = Json::parse(flipped.out);
  EXPECT_EQ(json["sound"], false);
  ASSERT_EQ(json["faults"].size(), 1u);
  EXPECT_THAT(json["faults"][0].get<std::string>(), HasSubstr("p_text_document.bin: offset 0: the checksum"));
  const Ran table = Trainctl("data verify p_text_document");
  EXPECT_EQ(table.code, kError);
  EXPECT_THAT(table.out, HasSubstr("FAULTS     1\n"));
  EXPECT_THAT(table.err, HasSubstr("trainctl: p_text_document.bin: offset 0: the checksum"));

  // Without the metadata a data set is read as any other tool's: structure and ids only.
  ASSERT_EQ(::unlink(Path("p_text_document.galley.json").c_str()), 0);
  const Ran bare = Trainctl("data verify p_text_document --vocab 102");
  EXPECT_EQ(bare.code, kError);
  EXPECT_THAT(bare.out, HasSubstr("CHECKSUMS  none were written"));
  EXPECT_THAT(bare.err, HasSubstr("is outside the vocabulary of 102"));
  EXPECT_EQ(Trainctl("data verify p_text_document -o jsonl").code, kOk);
  EXPECT_EQ(Trainctl("data verify none").code, kNotFound);
  EXPECT_EQ(Trainctl("data verify p_text_document --vocab 0").code, kUsage);
}

TEST_F(DataVerbs, ExitCodesSayWhatWentWrong) {
  Write("bad.jsonl", "{\"text\":\"x\"}\n{\"text\":2}\n");
  Write("a.txt", "x");
  const std::string to = " --tokenizer bytes --output-prefix p";
  const Ran bad = Trainctl("data tokenize --input bad.jsonl" + to);
  EXPECT_EQ(bad.code, kError);
  EXPECT_THAT(bad.err, HasSubstr("bad.jsonl:2:9: the value of 'text' is no string"));
  EXPECT_EQ(bad.out, "");
  EXPECT_FALSE(FileExists(Path("p_text_document.idx")));
  EXPECT_EQ(Trainctl("data tokenize --input none.txt" + to).code, kNotFound);
  EXPECT_EQ(Trainctl("data tokenize --input a.txt --append-eod" + to).code, kUsage);
  EXPECT_EQ(Trainctl("data tokenize --input bad.jsonl --document line" + to).code, kUsage);
  EXPECT_EQ(Trainctl("data tokenize --input a.txt --tokenizer what --output-prefix p").code, kUsage);
  EXPECT_EQ(Trainctl("data tokenize --input a.txt --tokenizer gpt2:none --output-prefix p").code, kNotFound);
  EXPECT_EQ(Trainctl("data inspect none").code, kNotFound);
  ASSERT_EQ(Trainctl("data tokenize --input a.txt" + to).code, kOk);
  EXPECT_EQ(Trainctl("data inspect p_text_document --document 1").code, kNotFound);
  Write("p_text_document.idx", "MMIDIDX");
  const Ran damaged = Trainctl("data inspect p_text_document");
  EXPECT_EQ(damaged.code, kError);
  EXPECT_THAT(damaged.err, HasSubstr("p_text_document.idx: offset 0"));
}

}  // namespace
}  // namespace galley::trainctl
