"""`podreduce submit` with a real store and a server of a few lines, and what it made run from there by `podreduce run`.

One thing is the same wherever it runs: a program as text, as a module beside its job, and as an archive.
"""

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml

from podreduce_operator.cli.program_archive import pack
from tests.cluster.minio import MinioServer
from tests.integration.test_wheels import make_wheel
from tests.support.kubeconfig import make_kubeconfig
from tests.support.podreduce_command import COMMAND

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 180

JOB = """
import marks
from words.helper import split

class Words:
    combiner = "sum"
    def map_func(self, key, value):
        for word in split(value):
            yield marks.MARK + word, 1
"""
HELPER = """
from pathlib import Path
STOP = Path(__file__).with_name("stop.txt").read_text().split()
def split(line):
    return [word for word in line.split() if word not in STOP]
"""
EXPECTED = "!end\t1\n!fox\t2\n"


def with_uid(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job as a server keeps it."""
    return {**job, "metadata": {**job["metadata"], "uid": "one"}, "spec": {"runId": "1", **job["spec"]}}


class ApiServer(ThreadingHTTPServer):
    """Takes what is applied to it, and says of each job that it is complete."""

    def __init__(self) -> None:
        self.applied: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Its answers."""

    server: ApiServer

    def do_PATCH(self) -> None:
        self.server.applied.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply(with_uid(self.server.applied[-1]))

    def do_GET(self) -> None:
        if not self.server.applied:
            self.send_error(404)
            return
        job = self.server.applied[-1]
        ended = {"type": "Complete", "status": "True", "reason": "Complete", "message": ""}
        status = {
            "runId": "1",
            "phase": "Complete",
            "conditions": [ended],
            "output": {"records": 2, "uri": "s3://out/"},
        }
        self.reply({**with_uid(job), "status": status})

    def reply(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A directory with a job, a package with a data file, and a requirement."""
    directory = tmp_path / "count"
    (directory / "words").mkdir(parents=True)
    (directory / "job.py").write_text(JOB)
    (directory / "words" / "helper.py").write_text(HELPER)
    (directory / "words" / "stop.txt").write_text("the")
    (tmp_path / "shelf").mkdir()
    make_wheel(tmp_path / "shelf", "marks-1.0", files={"marks.py": "MARK = '!'\n"})
    (directory / "requirements.txt").write_text(f"--no-index\n--find-links {tmp_path / 'shelf'}\nmarks==1.0\n")
    return directory


def call(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def aws(minio: MinioServer) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": minio.access_key, "AWS_SECRET_ACCESS_KEY": minio.secret_key}
    return {"AWS_ENDPOINT_URL": minio.endpoint, "AWS_REGION": minio.region, **keys}


def read_output(directory: Path) -> str:
    return "".join(sorted("".join(path.read_text() for path in directory.glob("part-*")).splitlines(keepends=True)))


@pytest.mark.integration
def test_what_is_submitted_runs_from_the_bucket(
    program: Path, minio: MinioServer, api: ApiServer, tmp_path: Path
) -> None:
    bucket = minio.make_bucket("submitted")
    obstore.put(minio.store(bucket), "in/a.txt", b"the fox\nthe fox the end\n")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(make_kubeconfig(f"http://127.0.0.1:{api.server_port}")))
    arguments = ("submit", program, f"s3://{bucket}/in/", "-o", f"s3://{bucket}/out/", "-n", "team", "--wait")
    environ = {**aws(minio), "KUBECONFIG": str(kubeconfig)}
    submitted = call(*arguments, cwd=tmp_path, **environ)
    assert submitted.returncode == 0, submitted.stderr
    first, place = submitted.stdout.splitlines()
    assert (first.startswith("mrj/count: complete in "), place) == (True, "output: s3://out/")
    assert "mrj/count in the namespace team is applied" in submitted.stderr
    assert submitted.stderr.splitlines()[-1] == "its records: podreduce output count --head 10 -n team"
    again = call(*arguments, cwd=tmp_path, **environ)
    assert (again.returncode, again.stderr.count("uploaded")) == (0, 0)
    assert api.applied[0] == api.applied[1]

    files = [api.applied[0]["spec"]["program"]["archive"], *api.applied[0]["spec"]["program"]["requirements"]]
    for each in files:
        data = obstore.get(minio.store(bucket), each["uri"].removeprefix(f"s3://{bucket}/")).bytes()
        assert each["digest"] == f"sha256:{hashlib.sha256(bytes(data)).hexdigest()}"

    (tmp_path / "elsewhere").mkdir()
    job = tmp_path / "elsewhere" / "job.json"
    job.write_text(json.dumps(api.applied[0]))
    run = call("run", job, "-o", tmp_path / "out", cwd=tmp_path / "elsewhere", **aws(minio))
    assert run.returncode == 0, run.stderr
    assert read_output(tmp_path / "out") == EXPECTED

    archive = files[0]
    obstore.put(minio.store(bucket), archive["uri"].removeprefix(f"s3://{bucket}/"), b"another")
    replaced = call("run", job, "-o", tmp_path / "new", cwd=tmp_path / "elsewhere", **aws(minio))
    assert replaced.returncode == 1
    other = f"sha256:{hashlib.sha256(b'another').hexdigest()}"
    assert all(part in replaced.stderr for part in ("ProgramInvalid", archive["uri"], archive["digest"], other))


def test_a_dry_run_prints_what_would_be_applied_and_sends_nothing(program: Path, tmp_path: Path) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "KUBECONFIG": "/nowhere"}
    arguments = ("submit", program, "s3://corpus/in/", "-o", "s3://corpus/out/", "--dry-run")
    shown = call(*arguments, cwd=tmp_path, **nowhere)
    assert shown.returncode == 0, shown.stderr
    manifest = yaml.safe_load(shown.stdout)
    digest = hashlib.sha256(pack(program)).hexdigest()
    archive = {"uri": f"s3://corpus/_podreduce-programs/{digest[:32]}/count.zip", "digest": f"sha256:{digest}"}
    assert manifest["metadata"] == {"name": "count"}
    assert manifest["spec"]["program"]["module"] == "job"
    assert manifest["spec"]["program"]["archive"] == archive
    assert [each["uri"].rpartition("/")[2] for each in manifest["spec"]["program"]["requirements"]] == [
        "marks-1.0-py3-none-any.whl"
    ]
    assert shown.stderr.splitlines()[0].endswith(f" to {archive['uri']}")
    assert len(shown.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "arguments", "why"),
    [
        ("class Words:\n    def map_func(self key, value):\n", [], "job.py:2:23: SyntaxError"),
        (JOB, ["--set", "spec.map.shards=0"], "spec.map.shards"),
        (JOB, ["in.txt"], "a cluster needs s3:// URIs in spec.input.uris[1]"),
        (JOB, ["--program-uri", "s3://corpus/out/"], "program.archive must not lie inside the output prefix"),
        (JOB, ["--python", "3"], "give the image's version of CPython"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_sent(
    text: str, arguments: list[str], why: str, program: Path, tmp_path: Path
) -> None:
    (program / "job.py").write_text(text)
    asked = ("submit", program, "s3://corpus/in/", "-o", "s3://corpus/out/", "--dry-run", *arguments)
    refused = call(*asked, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert why in refused.stderr


def test_a_missing_archive_ends_a_local_run_at_once(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("a\n")
    archive = {"uri": str(tmp_path / "gone.zip"), "digest": f"sha256:{'0' * 64}"}
    manifest = {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {"name": "gone"},
        "spec": {
            "program": {"module": "jobs", "archive": archive},
            "input": {"uris": ["in.txt"]},
            "output": {"uri": "o"},
        },
    }
    (tmp_path / "job.json").write_text(json.dumps(manifest))
    run = call("run", "job.json", cwd=tmp_path)
    assert run.returncode == 1
    assert f"ProgramNotFound: file://{tmp_path}/gone.zip: there is no such object" in run.stderr
    assert "waiting" not in run.stderr


INPUTS = {
    "wordcount": {"input": {"uris": [f"file://{EXAMPLES}/wordcount/books/"]}},
    "loganalysis": {"input": {"uris": [f"file://{EXAMPLES}/loganalysis/logs/*.csv"]}},
    "join": {
        "inputs": [
            {"name": "customers", "uris": [f"file://{EXAMPLES}/join/customers/"], "format": "JSONLines"},
            {"name": "orders", "uris": [f"file://{EXAMPLES}/join/orders/*.csv"], "format": "CSV"},
        ]
    },
    "inference": {
        "input": {"uris": [f"file://{EXAMPLES}/inference/digits/"], "format": "Parquet"},
        "sideInputs": [{"name": "model", "uris": [f"file://{EXAMPLES}/inference/model.onnx"]}],
    },
}


def test_each_example_has_its_input_here() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/job.yaml")} == {*INPUTS}


@pytest.mark.parametrize("example", INPUTS)
def test_a_program_gives_the_same_bytes_as_text_as_a_module_and_as_an_archive(example: str, tmp_path: Path) -> None:
    manifest = yaml.safe_load((EXAMPLES / example / "job.yaml").read_text())
    manifest["spec"] |= INPUTS[example]
    module = manifest["spec"]["program"].pop("module", None)
    source = manifest["spec"]["program"].pop("source", None) or (EXAMPLES / example / f"{module}.py").read_text()
    directory = tmp_path / "program"
    directory.mkdir()
    (directory / "the_job.py").write_text(source)
    data = pack(directory)
    (tmp_path / "program.zip").write_bytes(data)
    archive = {"uri": str(tmp_path / "program.zip"), "digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
    programs = {
        "text": {"source": source},
        "module": {"module": "the_job"},
        "archive": {"module": "the_job", "archive": archive},
    }
    outputs = {}
    for way, program in programs.items():
        place = directory if way == "module" else tmp_path
        spec = {**manifest["spec"], "program": {**manifest["spec"]["program"], **program}}
        (place / f"{way}.json").write_text(json.dumps({**manifest, "spec": spec}))
        run = call("run", place / f"{way}.json", "-o", tmp_path / way, cwd=tmp_path)
        assert run.returncode == 0, run.stderr
        outputs[way] = {path.name: path.read_bytes() for path in (tmp_path / way).glob("part-*")}
    assert outputs["text"]
    assert outputs["text"] == outputs["module"] == outputs["archive"]
