// What `train` and `submit` share: reading the recipe, refusing what cannot run, sending it.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "galley/v1/controller.pb.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/verbs/recipe_input.h"

namespace galley::trainctl {

struct SubmitInput {
  RecipeInput recipe;
  std::string run_dir;
  std::string from_checkpoint;
};

// Declares RECIPE, --set, --run-dir and --from-checkpoint. `input` must outlive the parsing.
void AddSubmitOptions(CLI::App& app, SubmitInput* input);

// Reads the recipe and fills the request. Faults go to stderr, what this version cannot run among them. kOk,
// kNotFound or kInvalidRecipe. `name`: the recipe's metadata.name.
int ReadSubmission(const SubmitInput& input, v1::SubmitRequest* request, std::string* name);

// Sends it; prints the faults that only the controller can find. Not kOk: the exit code.
int SendSubmission(Client& client, const v1::SubmitRequest& request, v1::SubmitReply* reply);

}  // namespace galley::trainctl
