"""`python -m tests.bench [compare|micro|memory|overhead|pipeline]`: how fast it is, and in how much memory."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench import comparison, report
from tests.bench.memory import measure_memory
from tests.bench.micro import measure_kernels
from tests.bench.overhead import measure_overhead
from tests.bench.paths import RESULTS
from tests.bench.pipelines.measure import PARTS, measure_pipelines
from tests.bench.telling import say
from tests.bench.works import WORKS, Work

DEFAULT_COMMAND = "compare"


def compare(arguments: argparse.Namespace) -> int:
    """Run every work by podreduce and its peers; 1 if a run failed, 130 if it was interrupted."""
    results: Path = arguments.results
    results.mkdir(parents=True, exist_ok=True)
    plan = comparison.Plan(
        works=choose_works(arguments),
        repeats=arguments.repeats,
        named=tuple(arguments.competitor or ()),
        slow=arguments.slow,
        with_store=not arguments.no_minio,
        store_directory=arguments.minio_directory,
    )
    done, interrupted = None, False
    try:
        for done in comparison.compare(plan, say):
            report.save_results(done, results / "bench.json")
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: what follows is what there was")
    if done is None:
        say("nothing ran")
        return 1
    report.show_table(done.summaries(), results / "bench.txt")
    say(report.draw_plot(results / "bench.json", results / "bench.png") or f"results: {results}")
    return 130 if interrupted else int(any(run.problem for run in done.runs))


def choose_works(arguments: argparse.Namespace) -> list[Work]:
    """Return the works asked for, with the sizes asked for."""
    sizes = {"wordcount": arguments.words_mb, "log": arguments.log_mb, "sort": arguments.sort_mb}
    return [replace(work, megabytes=sizes[name]) for name, work in WORKS.items() if name in (arguments.only or WORKS)]


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compare`."""
    parser.add_argument("--only", action="append", choices=list(WORKS), help="this work; may be repeated")
    parser.add_argument(
        "--competitor", action="append", metavar="NAME", help="only those whose name holds NAME; may be repeated"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="also mrjob, which takes minutes")
    parser.add_argument("--no-minio", action="store_true", help="nothing over MinIO")
    parser.add_argument(
        "--minio-directory", type=Path, metavar="DIRECTORY", help="where MinIO keeps its data; default: in memory"
    )
    parser.add_argument("--words-mb", type=int, default=WORKS["wordcount"].megabytes)
    parser.add_argument("--log-mb", type=int, default=WORKS["log"].megabytes)
    parser.add_argument("--sort-mb", type=int, default=WORKS["sort"].megabytes)


def memory(arguments: argparse.Namespace) -> int:
    """Run tasks over data many times their memory's limit; 1 if one exceeded it or the output is wrong."""
    results = arguments.results / "memory.json"
    return 0 if measure_memory(scale=arguments.scale, named=arguments.case, results=results, tell=say) else 1


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add the options of `memory`."""
    parser.add_argument("--case", default="", metavar="NAME", help="only those whose name holds NAME")
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the data: 0.1")


def overhead(arguments: argparse.Namespace) -> int:
    """Time an empty task from exec to its first record and its commit."""
    measure_overhead(arguments.repeats, arguments.results / "overhead.json")
    return 0


def add_overhead(parser: argparse.ArgumentParser) -> None:
    """Add the options of `overhead`."""
    parser.add_argument("--repeats", type=int, default=10)


def micro(arguments: argparse.Namespace) -> int:
    """Time the kernels alone."""
    results = arguments.results / "micro.json"
    measure_kernels(named=arguments.kernel, repeats=arguments.repeats, results=results, tell=say)
    return 0


def add_micro(parser: argparse.ArgumentParser) -> None:
    """Add the options of `micro`."""
    parser.add_argument("--kernel", default="", metavar="NAME", help="only those whose name holds NAME")
    parser.add_argument("--repeats", type=int, default=7)


def pipeline(arguments: argparse.Namespace) -> int:
    """Time iterations, PageRank, reuse and passes of pipelines; 1 if an output is wrong."""
    parts, results = tuple(arguments.only or PARTS), arguments.results / "pipeline.json"
    return 0 if measure_pipelines(parts, edges=arguments.edges, repeats=arguments.repeats, results=results) else 1


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pipeline`."""
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be repeated")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--edges", type=int, default=5_000_000, help="of the graph that PageRank ranks")


COMMANDS = {
    compare: add_compare,
    micro: add_micro,
    memory: add_memory,
    overhead: add_overhead,
    pipeline: add_pipeline,
}


def main(argv: Sequence[str]) -> int:
    """Carry out one command, `compare` if none is named; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    subparsers = parser.add_subparsers(required=True)
    for command, add_options in COMMANDS.items():
        subparser = subparsers.add_parser(command.__name__, help=command.__doc__)
        subparser.set_defaults(command=command)
        subparser.add_argument("--results", type=Path, default=RESULTS, metavar="DIRECTORY", help="where JSON goes")
        add_options(subparser)
    names = [command.__name__ for command in COMMANDS]
    named = argv if argv and argv[0] in (*names, "-h", "--help") else [DEFAULT_COMMAND, *argv]
    arguments = parser.parse_args(named)
    code: int = arguments.command(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
