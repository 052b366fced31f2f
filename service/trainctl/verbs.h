// All verbs of trainctl, in the order of `trainctl --help`. A new verb: one file <verb>.cc that defines its
// constant, its declaration here, its line in verbs.cc.
#pragma once

#include "absl/types/span.h"
#include "service/trainctl/verb.h"

namespace galley::trainctl {

extern const Verb kValidateVerb;
extern const Verb kExplainVerb;
extern const Verb kSchemaVerb;
extern const Verb kRenderVerb;
extern const Verb kPlanVerb;
extern const Verb kDataTokenizeVerb;
extern const Verb kDataInspectVerb;
extern const Verb kDataVerifyVerb;
extern const Verb kDataMergeVerb;
extern const Verb kDataSplitVerb;
extern const Verb kDataStatsVerb;
extern const Verb kDataWeightsVerb;
extern const Verb kTrainVerb;
extern const Verb kSubmitVerb;
extern const Verb kListVerb;
extern const Verb kStatusVerb;
extern const Verb kWatchVerb;
extern const Verb kLogsVerb;
extern const Verb kEventsVerb;
extern const Verb kSaveVerb;
extern const Verb kCancelVerb;
extern const Verb kResumeVerb;
extern const Verb kCheckpointsVerb;
extern const Verb kNodesVerb;
extern const Verb kGenerateVerb;
extern const Verb kVersionVerb;

absl::Span<const Verb* const> Verbs();

}  // namespace galley::trainctl
