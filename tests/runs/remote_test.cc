// A controller on TCP with a certificate and a token: trainctl and trainerd reach it with both, and
// nothing reaches it with less.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/runs/certificate.h"
#include "tests/runs/small_run.h"
#include "tests/support/folder_watch.h"
#include "tests/support/program.h"

namespace galley {
namespace {

using testing::Bin;
using testing::FolderWatch;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::Program;

constexpr int kDenied = 4, kUnreachable = 10;  // of trainctl

class RemoteTest : public ::testing::Test {
 protected:
  RemoteTest() {
    testing::MakeCertificate(In("cert.pem"), In("key.pem"));
    testing::MakeCertificate(In("other.pem"), In("other-key.pem"));
    EXPECT_TRUE(AtomicWrite(In("token"), "the right one\n", 0600).ok());
    EXPECT_TRUE(AtomicWrite(In("wrong"), "another one\n", 0600).ok());
  }

  std::string In(const std::string& name) const { return JoinPath(home_.path(), name); }

  // A daemon whose log is `<name>.log`. It replaces the shell that opens the log, so that it is the child.
  std::unique_ptr<Program> Start(const std::string& name, const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& env = {}) {
    std::vector<std::string> argv = {"/bin/sh", "-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh",
                                     In(name + ".log")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return std::make_unique<Program>(argv, home_.path(), env);
  }
  std::string Log(const std::string& name) const { return ReadFile(In(name + ".log")).value_or(""); }
  // Until the log of that name says so; what it says then.
  std::string AwaitLog(const std::string& name, const std::string& words) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    FolderWatch watch(home_.path());
    while (Log(name).find(words) == std::string::npos && std::chrono::steady_clock::now() < deadline)
      watch.Wait();
    EXPECT_THAT(Log(name), HasSubstr(words));
    return Log(name);
  }

  // On a port of 127.0.0.1 that the system chooses, read from the log.
  void StartController(const std::vector<std::string>& more) {
    std::vector<std::string> argv = {Bin("galley-controller"), "--state-dir", In("controller"), "--listen",
                                     "127.0.0.1:0"};
    argv.insert(argv.end(), more.begin(), more.end());
    controller_ = Start("controller", argv);
    const std::string log = AwaitLog("controller", "listens on ");
    const size_t from = log.find("listens on ") + 11;
    address_ = log.substr(from, log.find(',', from) - from);
  }
  void StartSecureController() {
    StartController({"--tls-cert", In("cert.pem"), "--tls-key", In("key.pem"), "--token-file", In("token")});
  }
  std::unique_ptr<Program> StartTrainerd(const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> argv = {Bin("trainerd"), "--controller", address_,      "--name", name,
                                     "--state-dir",   In(name),       "--stop-ranks"};
    argv.insert(argv.end(), more.begin(), more.end());
    return Start(name, argv);
  }

  Outcome Trainctl(const std::vector<std::string>& arguments, const std::string& token,
                   const std::string& ca) {
    std::vector<std::string> argv = {Bin("trainctl")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::vector<std::string> env = testing::TrainEnv(home_.path());
    env.push_back("GALLEY_CONTROLLER=" + address_);
    env.push_back("GALLEY_TOKEN_FILE=" + (token.empty() ? "" : In(token)));
    env.push_back("GALLEY_TLS_CA=" + (ca.empty() ? "" : In(ca)));
    return testing::Run(argv, home_.path(), 120, env);
  }

  // Until the controller lists that node as ready: trainerd's own log tells of its first order only.
  void AwaitNode(const std::string& name, const std::string& ca) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      const Outcome outcome = Trainctl({"nodes", "-o", "json"}, "token", ca);
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const nlohmann::json nodes = nlohmann::json::parse(outcome.out);
      if (nodes.size() == 1 && nodes[0]["name"] == name && nodes[0]["state"] == "READY") return;
    }
    FAIL() << name << " does not attach: " << Log(name);
  }

  const TempDir home_;
  std::unique_ptr<Program> controller_;
  std::string address_;
};

TEST_F(RemoteTest, ARunGoesThroughTlsAndToken) {
  testing::PrepareSmallRun(home_.path());
  StartSecureController();
  const auto trainerd = StartTrainerd("n1", {"--token-file", In("token"), "--tls-ca", In("cert.pem")});
  ASSERT_NO_FATAL_FAILURE(AwaitNode("n1", "cert.pem"));
  const Outcome run =
      Trainctl({"submit", "recipe.yaml", "--run-dir", In("run"), "--wait"}, "token", "cert.pem");
  EXPECT_EQ(run.code, 0) << run.err << Log("n1");
  EXPECT_EQ(testing::ReadMetrics(In("run")).steps.size(), static_cast<size_t>(testing::kSmallSteps));
  EXPECT_EQ(testing::Shards(In("run"), testing::kSmallSteps).size(), 2u);
  for (const char* name : {"controller", "n1"}) EXPECT_THAT(Log(name), Not(HasSubstr("the right one")));
  trainerd->Signal(SIGTERM);
  EXPECT_EQ(trainerd->Wait(60).code, 0);
}

TEST_F(RemoteTest, TrainctlIsRefusedWithoutTheTokenOrTheCertificate) {
  StartSecureController();
  EXPECT_EQ(Trainctl({"list"}, "token", "cert.pem").code, 0);
  for (const char* token : {"", "wrong"}) {
    const Outcome denied = Trainctl({"list"}, token, "cert.pem");
    EXPECT_EQ(denied.code, kDenied) << token;
    EXPECT_THAT(denied.err, HasSubstr("GALLEY_TOKEN_FILE"));
  }
  EXPECT_EQ(Trainctl({"list"}, "token", "").code, kUnreachable);           // plain, to TLS
  EXPECT_EQ(Trainctl({"list"}, "token", "other.pem").code, kUnreachable);  // not who it should be
  ASSERT_EQ(chmod(In("token").c_str(), 0644), 0);
  const Outcome open = Trainctl({"list"}, "token", "cert.pem");
  EXPECT_EQ(open.code, kDenied);
  EXPECT_THAT(open.err, HasSubstr("open to other users; chmod 600"));
}

TEST_F(RemoteTest, TrainerdIsRefusedWithoutTheTokenOrTheCertificateAndSaysWhy) {
  StartSecureController();
  const auto none = StartTrainerd("none", {"--tls-ca", In("cert.pem")});
  const auto wrong = StartTrainerd("wrong-token", {"--tls-ca", In("cert.pem"), "--token-file", In("wrong")});
  const auto plain = StartTrainerd("plain", {"--token-file", In("token")});
  const auto other = StartTrainerd("other", {"--tls-ca", In("other.pem"), "--token-file", In("token")});
  AwaitLog("none", "asks for a token");
  AwaitLog("wrong-token", "asks for a token");
  for (const char* name : {"plain", "other"}) AwaitLog(name, "not attached to the controller");
  EXPECT_EQ(nlohmann::json::parse(Trainctl({"nodes", "-o", "json"}, "token", "cert.pem").out).size(), 0u);
}

TEST_F(RemoteTest, ATokenAloneIsEnoughOnThisMachine) {
  StartController({"--token-file", In("token")});
  EXPECT_EQ(Trainctl({"list"}, "token", "").code, 0);
  EXPECT_EQ(Trainctl({"list"}, "wrong", "").code, kDenied);
  const auto trainerd = StartTrainerd("n1", {"--token-file", In("token")});
  AwaitNode("n1", "");
}

TEST_F(RemoteTest, WhatWouldBeOpenDoesNotStart) {
  const auto controller = [&](const std::vector<std::string>& more) {
    std::vector<std::string> argv = {Bin("galley-controller"), "--state-dir", In("refused")};
    argv.insert(argv.end(), more.begin(), more.end());
    return testing::Run(argv, home_.path(), 60);
  };
  const std::vector<std::string> everywhere[] = {
      {"--listen", "0.0.0.0:0"},
      {"--listen", "0.0.0.0:0", "--token-file", In("token")},
      {"--listen", "[::]:0", "--tls-cert", In("cert.pem"), "--tls-key", In("key.pem")}};
  for (const std::vector<std::string>& flags : everywhere) {
    const Outcome refused = controller(flags);
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("beyond this machine a controller needs --tls-cert, --tls-key and "
                                       "--token-file"));
  }
  EXPECT_THAT(controller({"--listen", "127.0.0.1:0", "--tls-cert", In("cert.pem")}).err,
              HasSubstr("come together"));
  ASSERT_EQ(chmod(In("token").c_str(), 0640), 0);
  const Outcome readable = controller({"--listen", "127.0.0.1:0", "--token-file", In("token")});
  EXPECT_EQ(readable.code, 1);
  EXPECT_THAT(readable.err, HasSubstr("chmod 600"));
  const Outcome trainerd = testing::Run(
      {Bin("trainerd"), "--controller", "192.0.2.1:7070", "--state-dir", In("n1")}, home_.path(), 60);
  EXPECT_EQ(trainerd.code, 1);
  EXPECT_THAT(trainerd.err, HasSubstr("give --tls-ca and --token-file"));
}

}  // namespace
}  // namespace galley
