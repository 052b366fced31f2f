#include "service/trainctl/verbs.h"

namespace galley::trainctl {
namespace {

// One line each (the empty comments keep it so).
constexpr const Verb* kVerbs[] = {
    &kValidateVerb,      //
    &kExplainVerb,       //
    &kSchemaVerb,        //
    &kRenderVerb,        //
    &kPlanVerb,          //
    &kTrainVerb,         //
    &kSubmitVerb,        //
    &kListVerb,          //
    &kStatusVerb,        //
    &kWatchVerb,         //
    &kLogsVerb,          //
    &kEventsVerb,        //
    &kSaveVerb,          //
    &kCancelVerb,        //
    &kResumeVerb,        //
    &kCheckpointsVerb,   //
    &kNodesVerb,         //
    &kGenerateVerb,      //
    &kDataTokenizeVerb,  //
    &kDataInspectVerb,   //
    &kDataVerifyVerb,    //
    &kDataMergeVerb,     //
    &kDataSplitVerb,     //
    &kDataStatsVerb,     //
    &kDataWeightsVerb,   //
    &kVersionVerb,       //
};

}  // namespace

absl::Span<const Verb* const> Verbs() { return kVerbs; }

}  // namespace galley::trainctl
