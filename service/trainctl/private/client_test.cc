#include "service/trainctl/private/client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "galley/v1/controller.grpc.pb.h"
#include "runtime/base/file.h"
#include "service/trainctl/testing.h"
#include "service/view/wire.h"

namespace galley::trainctl {
namespace {

using ::testing::HasSubstr;

// As one of the version before there were wire versions: it takes every call, and says nothing of itself.
class OlderController : public v1::Controller::Service {
 public:
  grpc::Status Version(grpc::ServerContext*, const v1::VersionRequest*, v1::VersionReply* reply) override {
    reply->set_version("0.0.9");
    return grpc::Status::OK;
  }
  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest*, v1::SubmitReply*) override {
    ++submitted;
    return grpc::Status::OK;
  }
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::WatchReply>* writer) override {
    writer->Write(v1::WatchReply());
    return grpc::Status::OK;
  }
  int submitted = 0;
};

TEST(ClientTest, AnOlderControllerIsAskedForNothing) {
  const TempDir dir;
  const std::string address = "unix:" + JoinPath(dir.path(), "galley.sock");
  OlderController controller;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&controller);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const std::unique_ptr<Client> client = Client::Open(address, {}).value();
  const absl::Status submitted = client->Submit({}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(submitted)) << submitted;
  EXPECT_THAT(std::string(submitted.message()), HasSubstr("(0.0.9)"));
  EXPECT_THAT(std::string(submitted.message()), HasSubstr("speaks wire version 0"));
  EXPECT_EQ(controller.submitted, 0);
  int replies = 0;
  EXPECT_TRUE(absl::IsFailedPrecondition(client->Watch({}, absl::Seconds(60), [&](const v1::WatchReply&) {
    ++replies;
    return true;
  })));
  EXPECT_EQ(replies, 0);
}

TEST_F(ServiceTest, AnOlderTrainctlIsRefused) {
  StartController();
  const std::string folder = JoinPath(home_.path(), absl::StrCat("galley-", geteuid()));
  const auto stub = v1::Controller::NewStub(
      grpc::CreateChannel("unix:" + JoinPath(folder, "controller.sock"), grpc::InsecureChannelCredentials()));
  grpc::ClientContext older, newer, same;
  newer.AddMetadata(view::kWireKey, std::to_string(v1::Wire::CURRENT + 1));
  same.AddMetadata(view::kWireKey, std::to_string(v1::Wire::CURRENT));
  v1::ListReply reply;
  for (grpc::ClientContext* context : {&older, &newer}) {
    const grpc::Status refused = stub->List(context, {}, &reply);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(refused.error_message(), HasSubstr("install the same release of both"));
  }
  EXPECT_TRUE(stub->List(&same, {}, &reply).ok());
}

}  // namespace
}  // namespace galley::trainctl
