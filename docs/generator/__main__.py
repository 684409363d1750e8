"""`python -m docs.generator`: writes the parts of docs and CRDs that follow from the code. Tests hold them equal."""

import shutil
from collections.abc import Callable
from pathlib import Path

from docs.generator import pages, pipeline_crd, schedule_crd
from docs.generator.tables import ROOT


def main() -> None:
    """Write the CRDs, the chart's copies of them, the pictures and the pages, in this order: each reads the former."""
    rewrite(pipeline_crd.PIPELINE_CRD, pipeline_crd.render)
    rewrite(schedule_crd.SCHEDULE_CRD, schedule_crd.render)
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        shutil.copyfile(path, ROOT / "charts" / "podreduce" / "crds" / path.name)
    for name, draw in pages.PICTURES.items():
        (ROOT / name).write_text(draw(), encoding="utf-8")
    for page in pages.PAGES:
        rewrite(ROOT / page, pages.render)


def rewrite(path: Path, render: Callable[[str], str]) -> None:
    """Bring the generated parts of a file up to date."""
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
