"""What to do on a cluster, by the reason of a failure or of a condition. docs/troubleshooting.md has all reasons."""

__all__ = ["CLUSTER_REMEDIES", "PIPELINE_REMEDIES"]

MEMORY = (
    "give its tasks more memory (podTemplate: spec.containers, the one named task, its resources: request and limit), "
    "or less to do: map.shards for a map (m-…), reduce.partitions for a reduce (r-…)"
)
RUN_HERE = "try it here on a small input first: podreduce run FILE --input PATH"
IN_JOB = frozenset(
    {
        "ImageUnavailable",
        "LimitRangeExceeded",
        "MemoryUnavailable",
        "OutOfMemory",
        "PodConfigInvalid",
        "PodRejected",
        "ProgramError",
        "ProgramInvalid",
        "QuotaNeedsResources",
        "SetupFailed",
        "Unschedulable",
    }
)
"""Reasons whose cause is mostly in the job's file: it is applied before the job runs again."""
IN_PROGRAM = frozenset({"ProgramError", "ProgramInvalid", "SetupFailed"})
NOT_STARTED = frozenset({"ImageUnavailable", "MemoryUnavailable", "PodConfigInvalid", "Unschedulable"})
"""Reasons of attempts whose container never ran, so that they have no log."""

CLUSTER_REMEDIES = {
    "BackoffLimitExceeded": "correct the cause of the last failure, then run it again",
    "ProgramError": f"correct the program, and {RUN_HERE}",
    "ProgramInvalid": "correct the program as the message says; a module that is missing must be in "
    "requirements.txt (podreduce submit), or in the image",
    "SetupFailed": "correct what the program does before the first record: its imports, its constructor, its setup",
    "InputError": "correct the object; input.encodingErrors: Replace accepts bytes that are not UTF-8",
    "InputNotFound": "check bucket and key in input.uris; a prefix ends in /",
    "TooManyBadRecords": "look at them where status.badRecords.uri says; correct the input, or raise maxBadRecords",
    "OutputExists": "choose another output.uri, or let the next run replace what is there",
    "OutputClaimed": "wait for the other run; if it is gone, delete the object _podreduce-claim in the output prefix",
    "OutOfMemory": MEMORY,
    "MemoryUnavailable": MEMORY,
    "Killed": f"somebody killed the process; if memory was the reason: {MEMORY}",
    "NoProgress": "correct what hangs, or call context.progress() in long work on one record",
    "ScratchFull": "use nodes with larger disks",
    "Evicted": "raise tasks.scratchSize of the chart, or the pod's limit of ephemeral storage",
    "ImageUnavailable": "check spec.image, and that the nodes may pull it; a private registry needs imagePullSecrets",
    "PodConfigInvalid": "correct podTemplate: what it refers to must be in the job's namespace",
    "PodRejected": "correct podTemplate, or ask for another policy of the namespace",
    "SandboxFailed": "ask the cluster's administrator: the node cannot start pods now",
    "Unschedulable": "wait for nodes, or correct what podTemplate asks of them: resources, selectors, tolerations, "
    "volumes; `kubectl describe pod` has more",
    "AwaitingAdmission": "the queue has not admitted its pods: see the LocalQueue; lower parallelism if it is small",
    "QuotaExceeded": "pods start as others end; lower parallelism, or ask for a larger quota",
    "QuotaNeedsResources": "set requests and limits in podTemplate",
    "LimitRangeExceeded": "set resources in podTemplate within the namespace's LimitRange",
    "StorageDenied": "do what the message says; keys, region and work bucket are those of the storage Secret, other "
    "buckets are named in the job",
    "StorageUnavailable": "see whether the endpoint in the storage Secret is right, the store is up, and the cluster "
    "reaches it; the run goes on by itself",
    "StorageSecretNotFound": "create the Secret in the job's namespace, or set spec.storage.secretRef.name",
    "StorageSecretInvalid": "correct the Secret as the message says",
    "ProgramNotFound": "create the ConfigMap, or correct program.sourceFrom; podreduce submit uploads archives, wheels",
    "DeadlineExceeded": "raise activeDeadlineSeconds, or find out why it takes so long",
    "InputUnreadable": "rename the object",
    "InvalidInputSchema": "correct input.schema as the message says",
    "InputInOutput": "choose another output.uri",
    "SideInputsTooLarge": "narrow their uris, or make the large one an input and join it",
    "OutputFileClash": "put context.task into the file's name, or use one reduce task",
    "TooManyOutputFiles": "write fewer files, or yield what they hold",
    "TooManyShards": "set a larger map.shardSize",
    "StorageEndpointNotAllowed": "use an endpoint that the chart's storageEndpoints allow, or ask for this one",
    "ChaosNotAllowed": "remove spec.chaos, or ask for the chart's chaos.enabled",
    "PlanMismatch": "see who writes below workUri",
    "PlanGone": "see who deletes below workUri; of another installation's job, docs/operations.md has more",
    "RecordUnreadable": "see who writes there; if it is the claim on an output, delete the object",
    "RecordsTooLarge": "use fewer, larger tasks (map.shardSize, reduce.partitions), or give the operator more memory",
    "UploadLost": "see what ends multipart uploads in the bucket: docs/troubleshooting.md, UploadLost",
    "TooManyLostOutputs": "see what deletes objects below workUri",
    "TooManyDisruptions": "see what drains nodes, or preempts its pods",
    "Forbidden": "ask the cluster's administrator to grant the operator the right that the message names",
    "StorageSecretUnreadable": "ask the cluster's administrator whether the operator may read the Secret",
    "ServiceAccountNotFound": "create it, or correct podTemplate",
    "PriorityClassNotFound": "create it, or correct podTemplate",
    "RuntimeClassNotFound": "create it, or correct podTemplate",
    "NewerRecord": "upgrade the operator again: a later release wrote the run's records",
    "RecordMemoryFull": "wait for other runs, or ask for more memory of the operator",
    "ApiServerUnavailable": "wait, and see whether the API server is well",
    "NamespaceTerminating": "use another namespace: this one is being deleted",
    "PodNameTaken": "delete the pod that the message names",
}
"""What to do, by reason."""

PIPELINE_REMEDIES = {
    **CLUSTER_REMEDIES,
    "ProgramError": "correct the program, and try the pipeline here on a small input first: podreduce run FILE",
    "OutputExists": "choose another uri for the step's output, or let it replace: output.ifExists: Replace",
    "TooManyBadRecords": "look at them where its badRecords.uri says; correct the input, or raise maxBadRecords",
    "Invalid": "correct the pipeline as the message says: podreduce validate FILE finds it before you apply",
    "StepFailed": "correct the cause; the new run does the failed step and what waits for it, and uses the rest again",
    "ConvergenceValueMissing": "count or yield the value that the loop's condition reads, or correct its name",
    "LoopLimitReached": "raise maxIterations, or ask for less in until",
    "OutputChanged": "somebody else writes to a step's output: give it a place of its own",
    "EarlierPipelineActive": "an earlier pipeline of the same schedule has not ended: wait for it, or delete it",
}
"""The same for a pipeline and its steps; docs/pipelines.md has the reasons that only pipelines have."""
