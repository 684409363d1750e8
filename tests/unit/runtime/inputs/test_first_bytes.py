import bz2
import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podreduce.contract.errors import InputError
from podreduce.inputs.blocks import Block
from podreduce.inputs.csv_header import parse_header
from podreduce.inputs.csv_rows import CsvShape
from podreduce.inputs.text import decode_block


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.txt", bytes(range(256)))
    return target.getvalue()


def parquet() -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(300))}), target)
    return target.getvalue()


TEXT = "".join(str(number) for number in range(3000)).encode()
ADVICE = [
    pytest.param(gzip.compress(TEXT), "like gzip: let its name end in .gz", id="gzip"),
    pytest.param(bz2.compress(TEXT), "like bzip2: let its name end in .bz2", id="bzip2"),
    pytest.param(pa.compress(TEXT, "zstd", asbytes=True), "like Zstandard: let its name end in .zst", id="zstd"),
    pytest.param(zipped(), "like a zip archive: unpack it", id="zip"),
    pytest.param(parquet(), "like Parquet: set input.format: Parquet", id="parquet"),
    pytest.param(b"gr\xfc\xdfe", "correct the object, or set input.encodingErrors: Replace", id="latin-1"),
]


@pytest.mark.parametrize(("data", "advice"), ADVICE)
def test_bytes_that_are_no_text_are_recognised_at_the_beginning_of_an_object(data: bytes, advice: str) -> None:
    with pytest.raises(InputError, match=rf"s3://b/a: byte \d+ is not UTF-8 \(.*\); (it begins )?{advice}$"):
        decode_block(Block(offset=0, data=data, stored_bytes=len(data)), "s3://b/a", "strict")


@pytest.mark.parametrize(("data", "advice"), ADVICE)
def test_so_are_they_where_a_header_is_expected(data: bytes, advice: str) -> None:
    with pytest.raises(InputError, match=advice):
        parse_header(data, "s3://b/a", CsvShape(delimiter=",", quote='"', columns=None), "strict")


def test_later_bytes_are_no_sign() -> None:
    with pytest.raises(InputError, match="correct the object"):
        decode_block(Block(offset=7, data=gzip.compress(TEXT), stored_bytes=9), "s3://b/a", "strict")
