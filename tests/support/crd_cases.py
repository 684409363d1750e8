"""One table for whoever applies the CRD: the local validator and the API server must agree on each manifest.

Each case is a name, the changes to a valid spec (dotted path → value, `ABSENT` removes the field), and the path at
which the change must be refused, or None where it must be taken.
"""

from functools import partial
from typing import Any

from tests.support.manifest_cases import ABSENT, CrdUnderTest

VALID_SPEC: dict[str, Any] = {
    "program": {"source": "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"},
    "input": {"uris": ["s3://corpus/books/"]},
    "output": {"uri": "s3://corpus/counts/"},
}

DEFAULTED_SPEC: dict[str, Any] = {
    "program": VALID_SPEC["program"],
    "input": {"uris": ["s3://corpus/books/"], "format": "Text", "encodingErrors": "Strict"},
    "output": {
        "uri": "s3://corpus/counts/",
        "format": "Text",
        "compression": "None",
        "ifExists": "Fail",
        "order": "Partition",
    },
    "execution": "Auto",
    "tasksPerPod": 1,
    "admission": "PerPod",
    "backoffLimitPerTask": 4,
    "backoff": {"initialSeconds": 5, "factor": 2, "maxSeconds": 300, "outOfMemoryFactor": 1.5},
    "progressDeadlineSeconds": 1800,
    "speculation": "Auto",
    "badRecords": "Fail",
    "ttlSecondsAfterFinished": 86400,
    "suspend": False,
    "runId": "1",
    "runPolicy": "OnRunId",
    "storage": {"secretRef": {"name": "podreduce-storage"}},
}
"""What becomes of `VALID_SPEC`."""

JOB_CRD = CrdUnderTest(kind="MapReduceJob", spec=VALID_SPEC)
taken, refused, unknown = JOB_CRD.taken, JOB_CRD.refused, JOB_CRD.unknown
cluster_only = partial(refused, only_on_cluster=True)


def rules(*failure_rules: dict[str, Any]) -> dict[str, Any]:
    return {"failurePolicy": {"rules": list(failure_rules)}}


NAMED_INPUTS: list[dict[str, Any]] = [
    {"name": "orders", "uris": ["s3://corpus/orders/"], "format": "CSV", "csv": {"delimiter": ";"}},
    {"name": "customers-2", "uris": ["s3://corpus/customers/*.jsonl"], "format": "JSONLines"},
]


def name_inputs(count: int, *, uris: int = 1) -> list[dict[str, Any]]:
    return [
        {"name": f"input-{number}", "uris": [f"s3://corpus/{number}/{each}.txt" for each in range(uris)]}
        for number in range(count)
    ]


def named(**changes: Any) -> dict[str, Any]:
    """Two named inputs, the first with changes; `ABSENT` leaves a field out."""
    first = {name: value for name, value in {**NAMED_INPUTS[0], **changes}.items() if value is not ABSENT}
    return {"input": ABSENT, "inputs": [first, NAMED_INPUTS[1]]}


def side(**changes: Any) -> dict[str, Any]:
    """A side input with changes; `ABSENT` leaves a field out."""
    spec = {"name": "centres", "uris": ["s3://corpus/centres/"], "format": "Pairs"} | changes
    return {"sideInputs": [{name: value for name, value in spec.items() if value is not ABSENT}]}


def stored(uri: str) -> dict[str, str]:
    """A file of the program, with a digest."""
    return {"uri": uri, "digest": f"sha256:{'0a' * 32}"}


ZIP, WHEEL = stored("s3://jobs/words.zip"), stored("s3://jobs/six-1.17.0-py2.py3-none-any.whl")
JSON_COLUMNS = [{"name": "id", "type": "int64"}, {"name": "a b", "type": 'struct<x: double, "y z": list<json>>'}]

TAKEN = [
    taken("the-least-there-can-be"),
    taken("module", program={"module": "mypackage.jobs", "className": "WordCount"}),
    taken("config-map", program={"sourceFrom": {"configMapKeyRef": {"name": "wordcount", "key": "job.py"}}}),
    taken("archive", program={"module": "jobs", "archive": ZIP, "requirements": [WHEEL, WHEEL]}),
    taken("wheel-as-archive", program={"module": "jobs", "archive": WHEEL}),
    taken("source-with-archive", program__archive=ZIP),
    taken("archive-beside-output", program__archive=stored("s3://corpus/counts.zip")),
    taken("two-hundred-requirements", program__requirements=[stored(f"s3://jobs/{'a' * 1000}.whl")] * 200),
    taken("source-of-128-kib", program__source="x" * 131072),
    taken("parameters", program__parameters={"minLength": "3", "empty": ""}),
    taken("image-with-digest", image="registry.example:5000/me/wordcount@sha256:" + "0" * 64),
    taken("several-inputs", input__uris=["s3://corpus/a.txt", "s3://corpus/logs/**/*.gz", "s3://other/"]),
    taken("named-inputs", input=ABSENT, inputs=NAMED_INPUTS, map__shards=2),
    taken("one-named-input", input=ABSENT, inputs=NAMED_INPUTS[:1]),
    taken("an-object-of-two-inputs", input=ABSENT, inputs=[NAMED_INPUTS[0], NAMED_INPUTS[0] | {"name": "again"}]),
    taken("side-inputs", sideInputs=NAMED_INPUTS),
    taken("no-side-inputs", sideInputs=[]),
    taken("side-input-beside-named-inputs", input=ABSENT, inputs=NAMED_INPUTS, sideInputs=NAMED_INPUTS),
    taken("eight-side-inputs-of-32-uris", sideInputs=name_inputs(8, uris=32)),
    taken("eight-inputs-of-a-hundred-uris", input=ABSENT, inputs=name_inputs(8, uris=100)),
    taken("a-thousand-inputs", input__uris=[f"s3://corpus/books/{n}.txt" for n in range(1000)]),
    taken("replace-bad-bytes", input__encodingErrors="Replace"),
    taken("output-without-slash", output__uri="s3://corpus/counts"),
    taken("output-beside-input", output__uri="s3://corpus/books-counted/"),
    taken("output-in-other-bucket", output__uri="s3://counts/books/"),
    taken("input-object-beside-output", input__uris=["s3://corpus/counts.txt"]),
    taken("records-of-fixed-length", input__format="FixedLength", input__recordLength=100, input__keyLength=100),
    taken("records-without-key", input__format="FixedLength", input__recordLength=1),
    taken("csv-input", input__format="CSV", input__csv={"delimiter": ";", "header": False, "multiline": True}),
    taken("plain-csv-input", input__format="CSV"),
    taken("parquet-input", input__format="Parquet"),
    taken(
        "parquet-filtered",
        input__format="Parquet",
        input__columns=["price"],
        input__filter=[
            {"column": "price", "operator": "Greater", "value": "2.5"},
            {"column": "count", "operator": "In", "values": [1, "2"]},
            {"column": "day", "operator": "IsNotNull"},
        ],
    ),
    taken("json-lines-input", input__format="JSONLines"),
    taken("json-columns", input__format="JSONLines", input__schema=JSON_COLUMNS, input__unknownFields="Ignore"),
    taken("unknown-fields", input__format="JSONLines", input__unknownFields="Fail"),
    taken("whole-objects", input__format="WholeObject"),
    taken("json-lines", output__format="JSONLines", output__ifExists="Replace"),
    taken("csv", output__format="CSV", output__columns=["word", "count"], output__compression="Bzip2"),
    taken("csv-without-names", output__format="CSV"),
    taken("parquet", output__format="Parquet"),
    taken("pairs", input__format="Pairs", output__format="Pairs", output__compression="None", output__order="Total"),
    taken("parquet-not-compressed-again", output__format="Parquet", output__compression="None"),
    taken("fixed-length", output__format="FixedLength", output__recordLength=100),
    taken("fixed-length-of-any-length", output__format="FixedLength", output__compression="Zstd"),
    taken("compressed", output__compression="Gzip"),
    taken("shards-1", map__shards=1),
    taken("shards-most", map__shards=100_000),
    taken("shard-size", map__shardSize="64Mi"),
    taken("shard-size-in-bytes", map__shardSize=67108864),
    taken("shard-size-decimal", map__shardSize="1G"),
    taken("map-only", reduce__partitions=0),
    taken("partitions-most", reduce__partitions=4096),
    taken("total-order", output__order="Total"),
    taken("total-order-of-partitions", output__order="Total", reduce__partitions=4),
    taken("map-only-without-total-order", output__order="Partition", reduce__partitions=0),
    taken("sample", input__sample={"fraction": 0.01}),
    taken("sample-with-a-seed", input__sample={"fraction": 1, "seed": -(2**63)}),
    taken(
        "sample-of-fixed-length",
        input__format="FixedLength",
        input__recordLength=9,
        input__keyLength=1,
        input__sample={"fraction": 0},
    ),
    taken("partition-key-length-1", reduce__partitionKeyLength=1),
    taken("partitioning-by-hash", reduce__partitions=1, reduce__partitioning="Hash"),
    taken("partitioning-balanced", reduce__partitioning="Balanced", output__order="Total"),
    taken("parallelism-1", parallelism=1),
    taken("whole-job-in-a-pod", execution="Auto"),
    taken("admission-as-a-gang", admission="Gang"),
    taken("a-pod-a-task", execution="PerTask", tasksPerPod=1),
    taken("several-tasks-per-pod", tasksPerPod=3),
    taken("tasks-per-pod-most", tasksPerPod=1000),
    taken("tasks-per-pod-by-need", tasksPerPod="Auto"),
    taken("no-attempt-is-repeated", backoffLimitPerTask=0),
    taken("no-delay", backoff={"initialSeconds": 0, "maxSeconds": 0}),
    taken("factor-1.5", backoff={"factor": 1.5}),
    taken("delays-equal", backoff={"initialSeconds": 300}),
    taken("memory-never-raised", backoff={"outOfMemoryFactor": 1}),
    taken("no-failure-rules", failurePolicy={"rules": []}),
    taken(
        "failure-rules",
        failurePolicy={
            "rules": [
                {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [1, 137]}},
                {"action": "Ignore", "onReasons": ["OutOfMemory", "Evicted"]},
                {
                    "action": "Count",
                    "onPodConditions": [{"type": "DisruptionTarget"}, {"type": "x", "status": "False"}],
                },
            ]
        },
    ),
    taken("bad-records-skipped", badRecords="Skip"),
    taken("bad-records-fail", badRecords="Fail"),
    taken("no-bad-record-allowed", badRecords="Skip", maxBadRecords=0),
    taken("many-bad-records-allowed", badRecords="Skip", maxBadRecords=2**40),
    taken("deadline", activeDeadlineSeconds=1),
    taken(
        "chaos",
        chaos={"killPercent": 11, "slowPercent": 5.5, "slowFactor": 5, "storageErrorPercent": 20},
    ),
    taken("no-chaos-at-all", chaos={}),
    taken("progress-deadline", progressDeadlineSeconds=1),
    taken("no-speculation", speculation="Never"),
    taken("clones", speculation="Always"),
    taken("removed-at-once", ttlSecondsAfterFinished=0),
    taken("deleted-at-once", deleteAfterFinishedSeconds=0),
    taken("suspended", suspend=True),
    taken("run-id-a-date", runId="2026-11-22"),
    taken("run-id-longest", runId="a" * 63),
    taken("run-policy-on-run-id", runPolicy="OnRunId"),
    taken("run-policy-on-change", runPolicy="OnChange", output__ifExists="Replace", runId="a" * 40),
    taken("secret", storage={"secretRef": {"name": "my.secret"}}),
    taken("storage-without-secret", storage={}),
    taken("pod-template", podTemplate={"metadata": {"labels": {"a": "b"}}, "spec": {"anything": [1, None]}}),
    taken("map-pod-template", map__podTemplate={"spec": {}}, reduce__podTemplate={"spec": {}}),
    taken("nulls-count-as-absent", map=None, suspend=None, image=None),
]

REFUSED = [
    refused("program", "no-program", {"program": ABSENT}),
    refused("program", "empty-program", {"program": {}}),
    refused("program", "two-programs", {"program.module": "jobs"}),
    refused("program.source", "empty-source", {"program.source": ""}),
    refused("program.source", "source-too-long", {"program.source": "x" * 131073}),
    refused("program", "source-too-long-in-utf-8", {"program.source": "ä" * 65537}),
    refused("program.source", "source-no-text", {"program.source": ["class Job: ..."]}),
    refused("program.sourceFrom.configMapKeyRef", "source-from-nothing", {"program": {"sourceFrom": {}}}),
    refused(
        "program.sourceFrom.configMapKeyRef.key",
        "config-map-without-key",
        {"program": {"sourceFrom": {"configMapKeyRef": {"name": "jobs"}}}},
    ),
    refused(
        "program.sourceFrom.configMapKeyRef.name",
        "config-map-without-name",
        {"program": {"sourceFrom": {"configMapKeyRef": {"key": "job.py"}}}},
    ),
    refused(
        "program.sourceFrom.configMapKeyRef.name",
        "config-map-misnamed",
        {"program": {"sourceFrom": {"configMapKeyRef": {"name": "Jobs", "key": "job.py"}}}},
    ),
    refused(
        "program.sourceFrom.configMapKeyRef.key",
        "config-map-key-misnamed",
        {"program": {"sourceFrom": {"configMapKeyRef": {"name": "jobs", "key": "a/b"}}}},
    ),
    refused("program.module", "module-no-identifier", {"program": {"module": "my-package.jobs"}}),
    refused("program", "archive-alone", {"program": {"archive": ZIP}}),
    refused("program.archive.digest", "archive-without-digest", {"program.archive": {"uri": ZIP["uri"]}}),
    refused("program.archive.digest", "archive-of-bare-digest", {"program.archive": {**ZIP, "digest": "0a" * 32}}),
    refused("program.archive.digest", "archive-of-md5", {"program.archive": {**ZIP, "digest": "md5:" + "0a" * 16}}),
    refused("program.archive.uri", "archive-in-ftp", {"program.archive": stored("ftp://jobs/words.zip")}),
    refused("program.archive.uri", "archive-without-key", {"program.archive": stored("s3://words.zip")}),
    refused("program.archive.uri", "archive-no-zip", {"program.archive": stored("s3://jobs/words.tar.gz")}),
    refused("", "archive-in-output", {"program.archive": stored("s3://corpus/counts/words.zip")}),
    refused("program.requirements", "no-requirement", {"program.requirements": []}),
    refused("program.requirements", "requirements-too-many", {"program.requirements": [WHEEL] * 201}),
    refused(
        "program.requirements[1].digest",
        "wheel-of-bare-digest",
        {"program.requirements": [WHEEL, {**WHEEL, "digest": "0"}]},
    ),
    refused("program.requirements[0].uri", "wheel-in-ftp", {"program.requirements": [stored("ftp://jobs/a.whl")]}),
    refused("program.requirements[0].uri", "wheel-without-key", {"program.requirements": [stored("s3://a.whl")]}),
    refused("program.requirements[0].uri", "requirement-no-wheel", {"program.requirements": [ZIP]}),
    refused("", "wheel-in-output", {"program.requirements": [stored("s3://corpus/counts/a.whl")]}),
    refused("program.className", "class-no-identifier", {"program.className": "1Job"}),
    refused("program.className", "class-with-dot", {"program.className": "jobs.Job"}),
    refused("program.parameters.n", "parameter-no-string", {"program.parameters": {"n": 3}}),
    refused("program.parameters.n", "parameter-too-long", {"program.parameters": {"n": "x" * 16385}}),
    refused("program.parameters", "parameters-too-many", {"program.parameters": {f"p{n}": "" for n in range(257)}}),
    refused("program.parameters", "parameter-that-was-y", {"program.parameters": {"true": "3"}}),
    refused("program.parameters", "parameter-that-was-n", {"program.parameters": {"false": "3"}}),
    refused("image", "image-empty", {"image": ""}),
    refused("image", "image-with-space", {"image": "my image"}),
    refused("", "no-input", {"input": ABSENT}),
    refused("", "input-and-inputs", {"inputs": NAMED_INPUTS}),
    refused("inputs", "inputs-empty", {"input": ABSENT, "inputs": []}),
    refused("inputs", "inputs-too-many", {"input": ABSENT, "inputs": name_inputs(9)}),
    refused("", "inputs-of-one-name", {"input": ABSENT, "inputs": [NAMED_INPUTS[0], NAMED_INPUTS[0]]}),
    refused("", "fewer-shards-than-inputs", {"input": ABSENT, "inputs": NAMED_INPUTS, "map": {"shards": 1}}),
    refused("", "named-input-in-output", named(uris=["s3://corpus/counts/old.csv"])),
    refused("", "output-in-named-input", {**named(), "output.uri": "s3://corpus/orders/new/"}),
    refused("inputs[0].name", "input-without-name", named(name=ABSENT)),
    refused("inputs[0].name", "input-name-in-capitals", named(name="Orders")),
    refused("inputs[0].name", "input-name-too-long", named(name="a" * 31)),
    refused("inputs[0].name", "input-name-ends-in-dash", named(name="a-")),
    refused("inputs[0].uris", "named-input-without-uris", named(uris=ABSENT)),
    refused("inputs[0].uris", "named-input-of-too-many-uris", named(uris=["s3://corpus/a"] * 101)),
    refused("inputs[0].uris[0]", "named-input-of-other-store", named(uris=["gs://corpus/a"])),
    refused("inputs[0]", "named-input-with-options-of-another-format", named(format="Text")),
    refused("sideInputs", "side-inputs-too-many", {"sideInputs": name_inputs(9)}),
    refused("sideInputs[1]", "side-inputs-of-one-name", {"sideInputs": [NAMED_INPUTS[0], NAMED_INPUTS[0]]}),
    refused("", "side-input-in-output", side(uris=["s3://corpus/counts/old.pairs"])),
    refused("", "output-in-side-input", side(uris=["s3://corpus/"])),
    refused("sideInputs[0].name", "side-input-without-name", side(name=ABSENT)),
    refused("sideInputs[0].name", "side-input-name-in-capitals", side(name="Centres")),
    refused("sideInputs[0].uris", "side-input-without-uris", side(uris=ABSENT)),
    refused("sideInputs[0].uris", "side-input-of-too-many-uris", side(uris=["s3://corpus/a"] * 33)),
    refused("sideInputs[0].uris[0]", "side-input-of-other-store", side(uris=["gs://corpus/a"])),
    refused("sideInputs[0]", "side-input-with-options-of-another-format", side(format="Text", columns=["a"])),
    refused("input.uris", "no-uris", {"input": {}}),
    refused("input.uris", "uris-empty", {"input.uris": []}),
    refused("input.uris", "uris-no-list", {"input.uris": "s3://corpus/books/"}),
    refused("input.uris", "uris-too-many", {"input.uris": ["s3://corpus/a"] * 1001}),
    refused("input.uris[0]", "uri-empty", {"input.uris": [""]}),
    refused("input.uris[1]", "uri-of-other-store", {"input.uris": ["s3://corpus/a", "gs://corpus/b"]}),
    refused("input.uris[0]", "uri-too-long", {"input.uris": ["s3://corpus/" + "x" * 2048]}),
    refused("input.uris[0]", "uri-a-bucket-without-slash", {"input.uris": ["s3://corpus"]}),
    refused("input.uris[0]", "uri-without-bucket", {"input.uris": ["s3:///books/"]}),
    refused("input.format", "input-format-unknown", {"input.format": "text"}),
    refused("input.encodingErrors", "encoding-errors-unknown", {"input.encodingErrors": "Ignore"}),
    refused("input", "fixed-length-of-no-length", {"input.format": "FixedLength"}),
    refused("input", "record-length-of-text", {"input.recordLength": 100}),
    refused("input", "key-length-of-text", {"input.keyLength": 10}),
    refused(
        "input",
        "key-longer-than-record",
        {"input.format": "FixedLength", "input.recordLength": 10, "input.keyLength": 11},
    ),
    refused("input.recordLength", "records-of-nothing", {"input.format": "FixedLength", "input.recordLength": 0}),
    refused("input", "json-columns-of-text", {"input.schema": JSON_COLUMNS}),
    refused("input", "unknown-fields-of-csv", {"input.format": "CSV", "input.unknownFields": "Fail"}),
    refused("input", "csv-of-text", {"input.csv": {"header": False}}),
    refused("input", "columns-of-text", {"input.columns": ["a"]}),
    refused("input", "filter-of-text", {"input.filter": [{"column": "a", "operator": "IsNull"}]}),
    refused(
        "input.filter[0]",
        "filter-without-value",
        {"input.format": "Parquet", "input.filter": [{"column": "a", "operator": "Less"}]},
    ),
    refused(
        "input.filter[0]",
        "filter-with-value-too-many",
        {"input.format": "Parquet", "input.filter": [{"column": "a", "operator": "IsNull", "value": 1}]},
    ),
    refused(
        "input.filter[0]",
        "filter-in-no-values",
        {"input.format": "Parquet", "input.filter": [{"column": "a", "operator": "In", "value": 1}]},
    ),
    refused(
        "input.filter[0].operator",
        "filter-by-unknown-operator",
        {"input.format": "Parquet", "input.filter": [{"column": "a", "operator": "Like", "value": "x"}]},
    ),
    refused(
        "input.schema[0].type",
        "no-type-of-a-column",
        {"input.format": "JSONLines", "input.schema": [{"name": "a", "type": "text"}]},
    ),
    refused(
        "input.schema[0].type", "column-without-type", {"input.format": "JSONLines", "input.schema": [{"name": "a"}]}
    ),
    refused("input.schema", "no-columns", {"input.format": "JSONLines", "input.schema": []}),
    refused("input.unknownFields", "unknown-fields-kept", {"input.format": "JSONLines", "input.unknownFields": "Keep"}),
    refused("input.csv.delimiter", "long-delimiter", {"input.format": "CSV", "input.csv": {"delimiter": "::"}}),
    refused("output", "no-output", {"output": ABSENT}),
    refused("output.uri", "no-output-uri", {"output": {}}),
    refused("output.uri", "output-a-bucket", {"output.uri": "s3://counts"}),
    refused("output.uri", "output-a-buckets-root", {"output.uri": "s3://counts/"}),
    refused("output.uri", "output-a-buckets-root-in-disguise", {"output.uri": "s3://counts//"}),
    refused("output.uri", "output-a-glob", {"output.uri": "s3://corpus/*/"}),
    refused("output.uri", "output-with-question-mark", {"output.uri": "s3://corpus/a?/"}),
    refused("output.uri", "output-with-bracket", {"output.uri": "s3://corpus/[a]/"}),
    refused("output.uri", "output-of-other-store", {"output.uri": "gs://corpus/counts/"}),
    refused("output.uri", "output-too-long", {"output.uri": "s3://corpus/" + "x" * 1024}),
    refused("output.format", "output-format-unknown", {"output.format": "Csv"}),
    refused("output.compression", "compression-unknown", {"output.compression": "Lz4"}),
    refused("output", "parquet-compressed-again", {"output.format": "Parquet", "output.compression": "Gzip"}),
    refused("output", "pairs-compressed-again", {"output.format": "Pairs", "output.compression": "Zstd"}),
    refused("output", "columns-of-text", {"output.columns": ["word"]}),
    refused("output", "columns-of-json-lines", {"output.format": "JSONLines", "output.columns": ["word"]}),
    refused("output.columns", "no-columns", {"output.format": "CSV", "output.columns": []}),
    refused("output.columns[1]", "column-without-name", {"output.format": "CSV", "output.columns": ["a", ""]}),
    refused("output.columns", "columns-too-many", {"output.format": "CSV", "output.columns": ["a"] * 1001}),
    refused("output", "record-length-of-text", {"output.recordLength": 100}),
    refused("output.recordLength", "record-length-0", {"output.format": "FixedLength", "output.recordLength": 0}),
    refused("output.recordLength", "record-too-long", {"output.format": "FixedLength", "output.recordLength": 1048577}),
    refused("output.ifExists", "if-exists-unknown", {"output.ifExists": "Overwrite"}),
    refused("", "output-in-input", {"output.uri": "s3://corpus/books/counts/"}),
    refused("", "output-is-input", {"output.uri": "s3://corpus/books"}),
    refused("", "output-in-whole-bucket", {"input.uris": ["s3://corpus/"]}),
    refused("", "input-in-output", {"input.uris": ["s3://corpus/counts/old/"]}),
    refused("", "input-object-in-output", {"input.uris": ["s3://corpus/counts/part-r-00000.txt"]}),
    refused("map", "shards-and-shard-size", {"map": {"shards": 8, "shardSize": "64Mi"}}),
    refused("map.shards", "shards-0", {"map.shards": 0}),
    refused("map.shards", "shards-too-many", {"map.shards": 100_001}),
    refused("map.shards", "shards-a-string", {"map.shards": "8"}),
    refused("map.shards", "shards-a-fraction", {"map.shards": 1.5}),
    refused("map.shardSize", "shard-size-0", {"map.shardSize": 0}),
    refused("map.shardSize", "shard-size-0-as-string", {"map.shardSize": "0"}),
    refused("map.shardSize", "shard-size-unit-unknown", {"map.shardSize": "64MB"}),
    refused("map.shardSize", "shard-size-a-fraction", {"map.shardSize": "1.5Gi"}),
    refused("map.shardSize", "shard-size-a-boolean", {"map.shardSize": True}),
    refused("map.podTemplate", "map-pod-template-a-string", {"map.podTemplate": "x"}),
    refused("output.order", "order-unknown", {"output.order": "Global"}),
    refused("", "total-order-map-only", {"output.order": "Total", "reduce.partitions": 0}),
    refused("input.sample.fraction", "sample-without-fraction", {"input.sample": {"seed": 1}}),
    refused("input.sample.fraction", "sample-fraction-over-1", {"input.sample": {"fraction": 1.5}}),
    refused("input.sample.fraction", "sample-fraction-negative", {"input.sample": {"fraction": -0.1}}),
    refused("input.sample.seed", "sample-seed-in-words", {"input.sample": {"fraction": 0.5, "seed": "one"}}),
    refused(
        "input",
        "sample-of-fixed-length-without-keys",
        {"input.format": "FixedLength", "input.recordLength": 9, "input.sample": {"fraction": 0.5}},
    ),
    refused("", "total-order-by-hash", {"output.order": "Total", "reduce": {"partitions": 2, "partitioning": "Hash"}}),
    refused("reduce", "partitioning-without-partitions", {"reduce.partitioning": "Hash"}),
    refused("reduce", "partitioning-map-only", {"reduce": {"partitions": 0, "partitioning": "Hash"}}),
    refused("reduce.partitioning", "partitioning-unknown", {"reduce.partitioning": "Range"}),
    refused("reduce.partitionKeyLength", "partition-key-length-0", {"reduce.partitionKeyLength": 0}),
    refused("reduce.partitionKeyLength", "partition-key-length-101", {"reduce.partitionKeyLength": 101}),
    refused("reduce.partitions", "partitions-negative", {"reduce.partitions": -1}),
    refused("reduce.partitions", "partitions-too-many", {"reduce.partitions": 4097}),
    refused("reduce.partitions", "partitions-in-words", {"reduce.partitions": "four"}),
    refused("reduce.podTemplate", "reduce-pod-template-a-list", {"reduce.podTemplate": []}),
    refused("parallelism", "parallelism-0", {"parallelism": 0}),
    refused("execution", "execution-unknown", {"execution": "InOnePod"}),
    refused("admission", "admission-unknown", {"admission": "Group"}),
    refused("tasksPerPod", "tasks-per-pod-0", {"tasksPerPod": 0}),
    refused("tasksPerPod", "tasks-per-pod-too-many", {"tasksPerPod": 1001}),
    refused("tasksPerPod", "tasks-per-pod-unknown", {"tasksPerPod": "auto"}),
    refused("tasksPerPod", "tasks-per-pod-a-number-as-text", {"tasksPerPod": "3"}),
    refused("parallelism", "parallelism-too-much", {"parallelism": 100_001}),
    refused("backoffLimitPerTask", "backoff-limit-negative", {"backoffLimitPerTask": -1}),
    refused("backoffLimitPerTask", "backoff-limit-too-high", {"backoffLimitPerTask": 1001}),
    refused("backoff", "initial-delay-above-default-maximum", {"backoff": {"initialSeconds": 301}}),
    refused("backoff", "initial-delay-above-maximum", {"backoff": {"initialSeconds": 5, "maxSeconds": 4}}),
    refused("backoff.initialSeconds", "initial-delay-negative", {"backoff.initialSeconds": -1}),
    refused("backoff.initialSeconds", "initial-delay-too-long", {"backoff.initialSeconds": 86401}),
    refused("backoff.maxSeconds", "maximal-delay-negative", {"backoff.maxSeconds": -1}),
    refused("backoff.maxSeconds", "maximal-delay-too-long", {"backoff.maxSeconds": 86401}),
    refused("backoff.factor", "factor-below-1", {"backoff.factor": 0.5}),
    refused("backoff.factor", "factor-above-100", {"backoff.factor": 101}),
    refused("backoff.outOfMemoryFactor", "memory-lowered", {"backoff": {"outOfMemoryFactor": 0.5}}),
    refused("backoff.outOfMemoryFactor", "memory-raised-too-much", {"backoff": {"outOfMemoryFactor": 17}}),
    refused("failurePolicy.rules[0]", "failure-rule-without-criterion", rules({"action": "Ignore"})),
    refused(
        "failurePolicy.rules[0]",
        "failure-rule-with-two-criteria",
        rules({"action": "Ignore", "onReasons": ["Evicted"], "onPodConditions": [{"type": "x"}]}),
    ),
    refused("failurePolicy.rules[0].action", "failure-rule-without-action", rules({"onReasons": ["Evicted"]})),
    refused(
        "failurePolicy.rules[0].action",
        "failure-action-unknown",
        rules({"action": "FailIndex", "onReasons": ["Evicted"]}),
    ),
    refused(
        "failurePolicy.rules[0].onExitCodes.values[0]",
        "failure-rule-on-exit-code-0",
        rules({"action": "Ignore", "onExitCodes": {"operator": "In", "values": [0]}}),
    ),
    refused(
        "failurePolicy.rules[0].onExitCodes.operator",
        "failure-rule-operator-unknown",
        rules({"action": "Ignore", "onExitCodes": {"operator": "Is", "values": [1]}}),
    ),
    refused(
        "failurePolicy.rules[0].onPodConditions[0].type",
        "failure-rule-on-untyped-condition",
        rules({"action": "Ignore", "onPodConditions": [{"status": "True"}]}),
    ),
    refused(
        "failurePolicy.rules[0].onReasons", "failure-rule-on-no-reason", rules({"action": "Ignore", "onReasons": []})
    ),
    refused("badRecords", "bad-records-unknown", {"badRecords": "Ignore"}),
    refused("maxBadRecords", "bad-records-negative", {"badRecords": "Skip", "maxBadRecords": -1}),
    refused("maxBadRecords", "bad-records-a-share", {"badRecords": "Skip", "maxBadRecords": 0.5}),
    refused("maxBadRecords", "bad-records-in-words", {"badRecords": "Skip", "maxBadRecords": "ten"}),
    refused("", "limit-of-bad-records-that-fail", {"badRecords": "Fail", "maxBadRecords": 10}),
    refused("", "limit-of-bad-records-alone", {"maxBadRecords": 10}),
    refused("activeDeadlineSeconds", "deadline-0", {"activeDeadlineSeconds": 0}),
    refused("chaos.killPercent", "more-than-all-killed", {"chaos": {"killPercent": 101}}),
    refused("chaos.slowFactor", "chaos-that-speeds-up", {"chaos": {"slowFactor": 0.5}}),
    refused("progressDeadlineSeconds", "progress-deadline-0", {"progressDeadlineSeconds": 0}),
    refused("speculation", "speculation-unknown", {"speculation": "On"}),
    refused("speculation", "speculation-a-boolean", {"speculation": False}),
    refused("ttlSecondsAfterFinished", "ttl-negative", {"ttlSecondsAfterFinished": -1}),
    refused("deleteAfterFinishedSeconds", "delete-negative", {"deleteAfterFinishedSeconds": -1}),
    refused("suspend", "suspend-in-words", {"suspend": "yes"}),
    refused("runId", "run-id-a-number", {"runId": 2}),
    refused("runId", "run-id-empty", {"runId": ""}),
    refused("runId", "run-id-with-slash", {"runId": "a/b"}),
    refused("runId", "run-id-ends-in-a-newline", {"runId": "1\n"}),
    refused("runId", "run-id-too-long", {"runId": "a" * 64}),
    refused("runPolicy", "run-policy-unknown", {"runPolicy": "Always"}),
    refused("", "run-policy-on-change-of-what-is-not-replaced", {"runPolicy": "OnChange"}),
    refused(
        "",
        "run-policy-on-change-with-a-long-run-id",
        {"runPolicy": "OnChange", "output.ifExists": "Replace", "runId": "a" * 41},
    ),
    refused("storage.secretRef.name", "secret-misnamed", {"storage.secretRef.name": "My_Secret"}),
    refused("podTemplate", "pod-template-a-string", {"podTemplate": "x"}),
]

CLUSTER_ONLY = [
    cluster_only("inputs[0].uris[0]", "named-input-of-a-path", named(uris=["data/"])),
    cluster_only("input.uris[0]", "input-a-path", {"input.uris": ["books/"]}),
    cluster_only("input.uris[0]", "input-a-file", {"input.uris": ["file:///data/books/"]}),
    cluster_only("program.archive.uri", "archive-a-path", {"program.archive": stored("dist/words.zip")}),
    cluster_only("program.requirements[0].uri", "wheel-a-path", {"program.requirements": [stored("dist/a.whl")]}),
    cluster_only("output.uri", "output-a-path", {"output.uri": "counts/"}),
    cluster_only("output.uri", "output-a-file", {"output.uri": "file:///data/counts/"}),
]

UNKNOWN = [
    unknown("reduces", "unknown-in-spec"),
    unknown("input.paths", "unknown-in-input"),
    unknown("backoff.initial", "unknown-in-backoff"),
    unknown("storage.secretRef.namespace", "unknown-in-secret-ref"),
]

CRD_CASES = [*TAKEN, *REFUSED, *CLUSTER_ONLY, *UNKNOWN]
