import base64

import pytest

from podreduce_operator.api.storage_secret import SecretError, decode_secret, parse_storage, parse_work_uri

VALUES = {
    "endpoint": "http://minio:9000",
    "region": "us-east-1",
    "accessKey": "access",
    "secretKey": "secret",
    "workUri": "s3://work/podreduce",
}


def test_a_secret_is_read_into_settings() -> None:
    settings = parse_storage(VALUES | {"sessionToken": "token\n"}, ca_cert="/ca.crt")
    read = (settings.endpoint, settings.region, settings.access_key, settings.secret_key, settings.session_token)
    assert read == ("http://minio:9000", "us-east-1", "access", "secret", "token")
    assert settings.ca_cert == "/ca.crt"


def test_missing_and_empty_keys_are_all_named() -> None:
    with pytest.raises(SecretError, match="it lacks endpoint, secretKey, workUri"):
        parse_storage({"region": "r", "accessKey": "a", "secretKey": " \n"})


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://work/podreduce", "s3://work/podreduce/"),
        ("s3://work/podreduce/", "s3://work/podreduce/"),
        ("s3://work", "s3://work/"),
        (" s3://work/\n", "s3://work/"),
    ],
)
def test_the_work_uri_ends_in_a_slash(uri: str, expected: str) -> None:
    assert parse_work_uri({"workUri": uri}) == expected


@pytest.mark.parametrize("uri", ["", "work/", "s3:///work", "file:///tmp/"])
def test_a_work_uri_that_is_no_bucket_is_refused(uri: str) -> None:
    with pytest.raises(SecretError, match="s3://bucket/prefix/"):
        parse_work_uri({"workUri": uri})


def test_a_secrets_data_is_decoded() -> None:
    assert decode_secret({"region": base64.b64encode("Österreich".encode()).decode()}) == {"region": "Österreich"}


@pytest.mark.parametrize("value", ["a", base64.b64encode(b"\xff").decode()], ids=["no-base64", "no-utf8"])
def test_binary_values_are_refused(value: str) -> None:
    with pytest.raises(SecretError, match="not UTF-8 text"):
        decode_secret({"region": value})


def test_a_key_that_podreduce_does_not_know_may_hold_anything() -> None:
    assert decode_secret({"keystore.jks": base64.b64encode(b"\xfe\xed\xff").decode(), "tls.key": "no base64"}) == {}
