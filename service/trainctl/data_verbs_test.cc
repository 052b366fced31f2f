// The data verbs as a user runs them: output, streams and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/file.h"
#include "service/trainctl/verb.h"
#include "tests/support/paths.h"

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
        "cd " + dir_.path() + " && " + BinDir() + "/trainctl " + arguments + " >" + out + " 2>" + err;
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
  EXPECT_EQ(made.err,
            "trainctl: left out: bad.jsonl:2:9: the value of 'text' is not a string; "
            "every line must be a JSON object with a string under 'text'\n"
            "trainctl: left out: bad.jsonl:3:4: the object has no key 'text'; "
            "every line must be a JSON object with a string under 'text'\n");
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
  EXPECT_THAT(stopped.err, HasSubstr("a.jsonl:40001:1: the line is not a JSON object"));
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

TEST_F(DataVerbs, MergeSplitAndStats) {
  Write("a.txt", "one\n\ntwo\nthree\n");
  Write("b.txt", "four\n");
  for (const char* name : {"a", "b"}) {
    const std::string n = name;
    ASSERT_EQ(Trainctl("data tokenize --input " + n + ".txt --tokenizer bytes --output-prefix " + n).code,
              kOk);
  }
  const Ran merged = Trainctl("data merge a_text_document.idx b_text_document --output-prefix sub/ab");
  ASSERT_EQ(merged.code, kOk) << merged.err;
  EXPECT_THAT(merged.out, HasSubstr("DOCUMENTS  3\n"));
  EXPECT_EQ(Trainctl("data verify sub/ab").code, kOk);
  EXPECT_EQ(Trainctl("data inspect sub/ab --document 2 --tokenizer bytes").out, "four\n");
  EXPECT_EQ(Trainctl("data merge a_text_document --output-prefix a_text_document").code, kUsage);

  const Ran split = Trainctl("data split sub/ab --shares 2,1 --names train,valid --output-prefix s -o name");
  ASSERT_EQ(split.code, kOk) << split.err;
  EXPECT_EQ(split.out, "s_train\ns_valid\n");
  EXPECT_EQ(ReadFile(Path("s_train.bin")).value(), ReadFile(Path("a_text_document.bin")).value());
  EXPECT_EQ(Trainctl("data split sub/ab --documents 1 --output-prefix s -o name").out, "s_0\ns_1\ns_2\n");
  EXPECT_EQ(Trainctl("data split sub/ab --output-prefix s").code, kUsage);
  EXPECT_EQ(Trainctl("data split sub/ab --parts 4 --output-prefix s").code, kUsage);
  EXPECT_EQ(Trainctl("data split sub/ab --parts 2 --names a --output-prefix s").code, kUsage);
  EXPECT_EQ(Trainctl("data split sub/ab --parts 2 --shares 1,1 --output-prefix s").code, kUsage);

  const Ran stats = Trainctl("data stats a_text_document b_text_document --tokenizer bytes --eod 10 --top 2");
  ASSERT_EQ(stats.code, kOk) << stats.err;
  EXPECT_THAT(stats.out, HasSubstr("\nall "));
  EXPECT_THAT(stats.out,
              HasSubstr("4-7" + std::string(32, ' ') + "2   66.67  " + std::string(40, '#') + "\n"));
  EXPECT_THAT(stats.out,
              HasSubstr("8-15" + std::string(31, ' ') + "1   33.33  " + std::string(20, '#') + "\n"));
  EXPECT_THAT(stats.out, HasSubstr("\n10" + std::string(33, ' ') + "5   25.00  \"\\n\"\n"));
  EXPECT_THAT(stats.out, HasSubstr("\n101" + std::string(32, ' ') + "3   15.00  \"e\"\n"));
  const Json json = Json::parse(Trainctl("data stats sub/ab --eod 10 -o json").out)[0];
  EXPECT_EQ(json["eod_percent"], 100);
  EXPECT_EQ(json["length_median"], 5);
  EXPECT_EQ(json["frequent"][0]["count"], 5);
  EXPECT_EQ(json["token_counts"][101], 3);
  EXPECT_EQ(json["length_histogram"][3]["documents"], 2);
}

TEST_F(DataVerbs, WeightsReadTheListsOfOtherPrograms) {
  Write("a.txt", std::string(100, 'x'));
  Write("b.txt", std::string(300, 'x'));
  for (const char* name : {"a", "b"}) {
    const std::string n = name;
    ASSERT_EQ(Trainctl("data tokenize --input " + n + ".txt --tokenizer bytes --output-prefix " + n).code,
              kOk);
  }
  const std::string a = "a_text_document", b = "b_text_document";
  const std::string expected =
      "data:\n  train:\n    - {path: " + a +
      ", weight: 0.3}  # 100 tokens, 30.00 % of the samples, 1.2 epochs\n    - {path: " + b +
      ", weight: 0.7}  # 300 tokens, 70.00 % of the samples, 0.933 epochs\n";
  const std::string list = "0.3 " + a + " 0.7 " + b;
  Write("list", list + "\n");
  Write("splits.json", R"({"train": ")" + list + R"(", "valid": [")" + b + R"("], "test": null})");
  Write("argonne", "0.3 " + a + " web\n\n0.7 " + b + ".bin books\n");
  EXPECT_THAT(Trainctl("data weights --tokens 400 --data-path " + list).out, testing::EndsWith(expected));
  EXPECT_THAT(Trainctl("data weights --samples 40 --sequence-length 10 --data-args-path list").out,
              testing::EndsWith(expected));
  for (const char* option : {"--per-split-data-args-path", "--data-args-path"}) {
    EXPECT_EQ(Trainctl(std::string("data weights --tokens 400 splits.json ") + option + " splits.json").code,
              kUsage);
    EXPECT_THAT(Trainctl(std::string("data weights --tokens 400 ") + option + " splits.json").out,
                testing::EndsWith(expected + "  valid:\n    - {name: " + b + ", path: " + b +
                                  "}\n  split: [1, 0, 0]\n"));
  }
  const Ran corpora = Trainctl("data weights --data-file-list argonne --epochs web=3 --epochs 1");
  EXPECT_THAT(corpora.out, HasSubstr("weight: 0.5}  # 100 tokens, 50.00 % of the samples, 3 epochs, web\n"));
  EXPECT_THAT(corpora.out, HasSubstr("1 epochs, books\n"));
  EXPECT_THAT(Trainctl("data weights a_text_document.bin " + b).out, HasSubstr("weight: 0.75}"));
  EXPECT_THAT(Trainctl("data weights " + a + " " + b + " --temperature 1e9").out, HasSubstr("weight: 0.5"));
  const Ran one = Trainctl("data weights --data-path 0.5 " + a);
  EXPECT_THAT(one.out, HasSubstr("weight: 0.5}"));
  EXPECT_THAT(one.err, HasSubstr("blend_one_source: true"));
  const Ran mixture = Trainctl("data weights --data-path 0.3 a b c");
  EXPECT_EQ(mixture.code, kUsage);
  EXPECT_THAT(mixture.err, HasSubstr("--data-path: item 1, '0.3', is a number"));
  EXPECT_EQ(Trainctl("data weights").code, kUsage);
  EXPECT_EQ(Trainctl("data weights none").code, kNotFound);
  EXPECT_EQ(Trainctl("data weights " + a + " --samples 3").code, kUsage);
  EXPECT_EQ(Trainctl("data weights " + a + " --epochs x").code, kUsage);
}

TEST_F(DataVerbs, ExitCodesSayWhatWentWrong) {
  Write("bad.jsonl", "{\"text\":\"x\"}\n{\"text\":2}\n");
  Write("a.txt", "x");
  const std::string to = " --tokenizer bytes --output-prefix p";
  const Ran bad = Trainctl("data tokenize --input bad.jsonl" + to);
  EXPECT_EQ(bad.code, kError);
  EXPECT_THAT(bad.err, HasSubstr("bad.jsonl:2:9: the value of 'text' is not a string"));
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
