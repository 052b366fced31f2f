#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

constexpr const Verb* kVerbs[] = {
    &kValidateVerb, &kExplainVerb,      &kSchemaVerb,      &kRenderVerb,
    &kPlanVerb,     &kDataTokenizeVerb, &kDataInspectVerb, &kVersionVerb,
};

}  // namespace

absl::Span<const Verb* const> Verbs() { return kVerbs; }

}  // namespace galley::trainctl
